"""How fast do images come from JPEG files? Against torchvision's ImageFolder and DataLoader.

    python benchmarks/image_streaming.py --images 2000

Both sides deliver batches of 128 normalised, randomly flipped float images of 224 × 224 on a CPU
and take turns; the reference has a worker process per core. Also: what decoding alone takes at
most, the packed form, and the memory while an epoch goes by. The images are generated, about 80 kB
each, most of 500 × 375 as web images are.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from trainables.augment import AUGMENTATIONS
from trainables.config import Choice
from trainables.datasets.file_list import FileList
from trainables.datasets.image_files import ImageFiles
from trainables.datasets.packing import image_files, pack, packed_bytes
from trainables.engine import Preprocessing
from trainables.image_source import StreamedImages

BATCH, SIZE = 128, 224
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SHAPES = ((500, 375), (375, 500), (500, 333), (800, 600))


def write_images(folder: Path, count: int) -> list[str]:
    """Two classes of JPEGs with coarse shapes and fine noise."""
    draw = np.random.default_rng(0)
    names = []
    for index in range(count):
        shape = SHAPES[index % len(SHAPES)]
        coarse = Image.fromarray(draw.integers(0, 255, (24, 32, 3), dtype=np.uint8))
        pixels = np.asarray(coarse.resize(shape, Image.Resampling.BICUBIC)).astype(int)
        pixels += draw.integers(-12, 12, pixels.shape)
        name = f"{index % 2}/{index:06d}.jpg"
        (folder / name).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / name, quality=88)
        names.append(name)
    return names


def reference(folder: Path) -> Iterator[Tensor]:
    """The usual loop."""
    steps = [
        transforms.Resize(256),
        transforms.CenterCrop(SIZE),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize(MEAN, STD),
    ]
    dataset = ImageFolder(str(folder), transforms.Compose(steps))
    loader = DataLoader(dataset, BATCH, shuffle=True, num_workers=os.cpu_count() or 1)
    return (images for images, _ in loader)


def ours(files: ImageFiles) -> Iterator[Tensor]:
    """Threads that read, and flips and normalisation a batch at a time."""
    flip = AUGMENTATIONS.build(Choice("flip"))
    preprocess = Preprocessing.of((MEAN, STD), torch.nn.Conv2d(3, 1, 1), "cpu")
    parts = torch.randperm(len(files)).split(BATCH)
    draws = flip.draw(len(files), torch.Generator().manual_seed(0)).split(BATCH)
    batches = StreamedImages(files, "cpu").batches(parts)
    return (preprocess(flip.apply(*pair)) for pair in zip(batches, draws, strict=True))


def decoding_alone(folder: Path, names: list[str]) -> None:
    """Every JPEG to pixels at full size, nothing else: no loader that looks at all of them wins."""

    def load(name: str) -> None:
        with Image.open(folder / name) as image:
            image.load()

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(load, names))


def rate(count: int, run: Callable[[], object]) -> float:
    """Images per second."""
    started = time.perf_counter()
    run()
    return count / (time.perf_counter() - started)


def drain(batches: Iterator[Tensor]) -> None:
    for _ in batches:
        pass


def resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def memory_curve(batches: Iterator[Tensor]) -> list[float]:
    """MB of this process after each batch."""
    return [resident_megabytes() for _ in batches]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    torch.set_num_threads(os.cpu_count() or 1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "images"
        folder.mkdir()
        names = write_images(folder, chosen.images)
        listed = FileList(tuple(names), np.zeros(len(names), np.int64))
        os.environ["ORCHESTRATOR_CACHE"] = name
        files = image_files(folder, listed, SIZE, "stop", Path(name))
        count = len(names)
        rates = [
            (
                rate(count, lambda: drain(reference(folder))),
                rate(count, lambda: drain(ours(files))),
                rate(count, lambda: decoding_alone(folder, names)),
            )
            for _ in range(chosen.rounds)
        ]
        theirs, streamed, decoded = (
            statistics.median(column) for column in zip(*rates, strict=True)
        )
        ratio = statistics.median(mine / other for other, mine, _ in rates)
        curve = memory_curve(ours(files))
        packing = rate(count, lambda: list(pack(files, Path(name))))
        packed = image_files(folder, listed, SIZE, "stop", Path(name))
        read = rate(count, lambda: drain(ours(packed)))
        print(f"ImageFolder and DataLoader  {theirs:8.0f} images/s")
        print(f"streamed                    {streamed:8.0f} images/s, {ratio:.2f} times as many")
        print(f"decoding alone              {decoded:8.0f} images/s")
        print(f"packed                      {read:8.0f} images/s, {read / streamed:.1f} times")
        print(
            f"packing                     {packing:8.0f} images/s, "
            f"{packed_bytes(packed) / count / 1e3:.0f} kB an image"
        )
        print(f"memory of an epoch: {curve[0]:.0f} MB at first, {max(curve):.0f} at most")


if __name__ == "__main__":
    main()
