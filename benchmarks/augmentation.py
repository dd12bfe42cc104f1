"""How fast is augmentation? One gather per batch against torchvision, image by image, on Pillow.

    python benchmarks/augmentation.py                # CIFAR-sized images
    python benchmarks/augmentation.py --device cuda

Both sides go from uint8 images to a normalised float batch, the job of a training step's loader,
with one thread and no worker processes. They take turns, so that a busy machine slows both; the
ratio is the median over the rounds of the ratio within a round.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

import torch
from PIL import Image
from torch import Tensor
from torchvision import transforms

from trainables.augment import AUGMENTATIONS
from trainables.config import Choice
from trainables.training.step import Preprocessing

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

PIPELINES = {
    "flip, crop": (
        [Choice("flip"), Choice("crop")],
        [transforms.RandomHorizontalFlip(), transforms.RandomCrop(32, padding=4)],
    ),
    "crop, flip, rotation": (
        [Choice("crop"), Choice("flip"), Choice.of("rotation", degrees=15)],
        [
            transforms.RandomCrop(32, padding=4),
            transforms.RandomHorizontalFlip(),
            transforms.RandomRotation(15),
        ],
    ),
}
"""Name → the same transforms, ours and torchvision's."""


def batched(images: Tensor, choices: list[Choice], device: str) -> Callable[[], Tensor]:
    """Our way: draw, apply, normalise a whole batch."""
    augmentations = [AUGMENTATIONS.build(choice) for choice in choices]
    generator = torch.Generator().manual_seed(0)
    mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) * 255 for v in (MEAN, STD))
    preprocess = Preprocessing(mean, 1 / std, torch.contiguous_format)
    resident = images.to(device)

    def run() -> Tensor:
        batch = resident
        for augmentation in augmentations:
            draws = augmentation.draw(len(batch), generator).to(device)
            batch = augmentation.apply(batch, draws)
        return preprocess(batch)

    return run


def one_by_one(images: Tensor, steps: list[torch.nn.Module]) -> Callable[[], Tensor]:
    """The loops of the field: a Pillow image, its transforms, a tensor, and at last a batch."""
    arrays = images.permute(0, 2, 3, 1).contiguous().numpy()
    chain = transforms.Compose([*steps, transforms.ToTensor(), transforms.Normalize(MEAN, STD)])
    return lambda: torch.stack([chain(Image.fromarray(array)) for array in arrays])


def seconds(run: Callable[[], Tensor], device: str) -> float:
    """Wall time of one call, the device's work included."""
    started = time.perf_counter()
    run()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    shape = (options.batch, 3, 32, 32)
    images = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator())
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, device {options.device}")
    for name, (choices, steps) in PIPELINES.items():
        batch, single = batched(images, choices, options.device), one_by_one(images, steps)
        seconds(batch, options.device), seconds(single, "cpu")
        pairs = [
            (seconds(batch, options.device), seconds(single, "cpu")) for _ in range(options.rounds)
        ]
        fast, slow = (
            statistics.median(times) / options.batch * 1e6 for times in zip(*pairs, strict=True)
        )
        ratios = sorted(theirs / ours for ours, theirs in pairs)
        print(
            f"{name:<22} batched {fast:5.1f} µs/image, one by one {slow:5.1f} µs/image, "
            f"ratio {statistics.median(ratios):.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f})"
        )


if __name__ == "__main__":
    main()
