"""How fast do images come from JPEG files? Against torchvision's ImageFolder and DataLoader.

    python benchmarks/image_streaming.py --images 2000

Both sides deliver batches of 128 normalised, randomly flipped float images of 224 × 224 on a CPU
and take turns; the reference has a worker process per core. Also: what reading, decoding with
scaling and decoding alone reach, the packed form, and the memory while an epoch goes by. The images
are generated, about 80 kB each, most of 500 × 375 as web images are.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

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
from trainables.images.source import StreamedImages
from trainables.training.process import set_up_process
from trainables.training.step import Preprocessing

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


def reference(folder: Path) -> None:
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
    for _ in loader:
        pass


def batches(files: ImageFiles) -> Iterator[Tensor]:
    """Ours: threads that read, and flips and normalisation a batch at a time."""
    flip = AUGMENTATIONS.build(Choice("flip"))
    preprocess = Preprocessing.of((MEAN, STD), torch.nn.Conv2d(3, 1, 1), "cpu")
    parts = torch.randperm(len(files)).split(BATCH)
    draws = flip.draw(len(files), torch.Generator().manual_seed(0)).split(BATCH)
    images = StreamedImages(files, "cpu").batches(parts)
    return (preprocess(flip.apply(*pair)) for pair in zip(images, draws, strict=True))


def streamed(files: ImageFiles) -> None:
    for _ in batches(files):
        pass


def only_read(files: ImageFiles) -> None:
    """Batches of uint8 images, all that is left to do on a CPU beside a GPU."""
    for _ in StreamedImages(files, "cpu").batches(torch.randperm(len(files)).split(BATCH)):
        pass


def decoded_and_scaled(files: ImageFiles) -> None:
    """Every image as it is needed, in no batch."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(files.read, range(len(files))))


def decoded(files: ImageFiles) -> None:
    """Every JPEG to pixels at full size: no loader that looks at all of them wins."""

    def load(name: str) -> None:
        with Image.open(files.folder / name) as image:
            image.load()

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(load, files.names))


def rate(run: Callable[[Any], object], given: Any, count: int) -> float:
    """Images per second."""
    started = time.perf_counter()
    run(given)
    return count / (time.perf_counter() - started)


def memory_curve(files: ImageFiles) -> list[float]:
    """MB of this process after each batch."""
    size = os.sysconf("SC_PAGE_SIZE") / 1e6
    statm = Path("/proc/self/statm")
    return [size * int(statm.read_text().split()[1]) for _ in batches(files)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        os.environ["ORCHESTRATOR_CACHE"] = name
        folder = Path(name) / "images"
        folder.mkdir()
        names = write_images(folder, chosen.images)
        listed = FileList(tuple(names), np.zeros(len(names), np.int64))
        compare(folder, listed, chosen.rounds)


def compare(folder: Path, listed: FileList, rounds: int) -> None:
    """Take turns, then pack; ours in a process set up as the workers of a launch are."""
    cores, count = os.cpu_count() or 1, len(listed.paths)
    files = image_files(folder, listed, SIZE, "stop", folder)
    with ProcessPoolExecutor(1, get_context("spawn"), set_up_process, (cores,)) as worker:
        parts = (streamed, only_read, decoded_and_scaled, decoded)
        rates = [
            (
                rate(reference, folder, count),
                *(worker.submit(rate, part, files, count).result() for part in parts),
            )
            for _ in range(rounds)
        ]
        curve = worker.submit(memory_curve, files).result()
        packing = rate(lambda of: list(pack(of, folder)), files, count)
        packed = image_files(folder, listed, SIZE, "stop", folder)
        from_pack = worker.submit(rate, streamed, packed, count).result()
    ratio = statistics.median(ours / theirs for theirs, ours, *_ in rates)
    theirs, ours, read, scaled, loaded = map(statistics.median, zip(*rates, strict=True))
    print(f"ImageFolder and DataLoader  {theirs:8.0f} images/s")
    print(f"streamed                    {ours:8.0f} images/s, {ratio:.2f} times as many")
    print(f"  without flip and floats   {read:8.0f} images/s")
    print(f"decoding and scaling alone  {scaled:8.0f} images/s")
    print(f"decoding alone              {loaded:8.0f} images/s")
    print(f"packed                      {from_pack:8.0f} images/s, {from_pack / ours:.1f} times")
    print(
        f"packing                     {packing:8.0f} images/s, "
        f"{packed_bytes(packed) / count / 1e3:.0f} kB an image"
    )
    print(f"memory of an epoch: {curve[0]:.0f} MB at first, {max(curve):.0f} at most")


if __name__ == "__main__":
    main()
