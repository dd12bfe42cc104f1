"""How fast is training, against the loop that most papers are run with?

    python benchmarks/training_speed.py                        # MLP1024 and ResNet-20, CPU
    python benchmarks/training_speed.py --cases resnet32 resnet34 --images 500
    python benchmarks/training_speed.py --device cuda --cases mlp1024 resnet32 resnet34

The reference is written for the purpose, as an honest user of torch writes it: torchvision-style
data set of Pillow images with transforms, a DataLoader with as many workers as cores, eager forward
and backward, `torch.optim.SGD` with its defaults, losses and hits read once per epoch, evaluation
after each epoch. Both sides train the same number of epochs on the same images with all threads;
rounds take turns, and the figure is the median of the ratios within a round. Time starts with the
first epoch and includes evaluation; start-up of the data loader counts, as it does every epoch.
Our side runs in a process set up as the workers of a launch are.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from trainables.architectures import ARCHITECTURES
from trainables.components import build_config
from trainables.config import Choice, TrainingConfig
from trainables.datasets import load_dataset
from trainables.training.process import set_up_process
from trainables.training.train import train


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    architecture: str
    like: str
    images: int
    batch_size: int
    augmentation: tuple[str, ...] = ()
    precision: str = "fp32"


CASES = {
    "mlp1024": Case("mlp1024", "fashion-mnist", 20_000, 128),
    "mlp1024-b32": Case("mlp1024", "fashion-mnist", 6_000, 32),
    "resnet20": Case("resnet20", "cifar10", 2_000, 128, ("crop", "flip")),
    "resnet20-bf16": Case("resnet20", "cifar10", 2_000, 128, ("crop", "flip"), "bf16"),
    "resnet32": Case("resnet32", "cifar10", 50_000, 128, ("crop", "flip")),
    "resnet32-bf16": Case("resnet32", "cifar10", 50_000, 128, ("crop", "flip"), "bf16"),
    "resnet34": Case("resnet34", "cifar100", 50_000, 128, ("crop", "flip")),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES)[:4])
    parser.add_argument("--images", type=int, help="of each case instead of its own number")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    print(f"{cores} cores, load {load:.1f}, {arguments.device}, torch {torch.__version__}")
    worker = ProcessPoolExecutor(1, get_context("spawn"), set_up_process, (cores,))
    for name in arguments.cases:
        case = replace(CASES[name], images=arguments.images or CASES[name].images)
        pairs, peaks = [], []
        for _ in range(arguments.rounds):
            theirs = reference(case, arguments, cores)
            mine, peak = worker.submit(ours, case, arguments).result()
            pairs.append((theirs, mine))
            peaks.append(peak)
        ratios = sorted(theirs / mine for theirs, mine in pairs)
        rate = case.images * arguments.epochs / statistics.median(mine for _, mine in pairs)
        print(
            f"{name:14s} {statistics.median(ratios):5.2f} times the reference "
            f"({ratios[0]:.2f} to {ratios[-1]:.2f}), {rate:,.0f} images/s, "
            f"{gigaflops(case, rate):,.0f} GFLOP/s, peak {max(peaks):,.0f} MB "
            f"beside {peak_megabytes():,.0f} without its loaders",
            flush=True,
        )


def config_of(case: Case, epochs: int) -> TrainingConfig:
    return build_config(
        {
            "dataset": {
                "name": "synthetic",
                "like": case.like,
                "images": case.images,
                "test_size": case.images // 6,
            },
            "architecture": case.architecture,
            "loss": "ce",
            "learning_rate": 0.01,
            "epochs": epochs,
            "batch_size": case.batch_size,
            "augmentation": list(case.augmentation),
            "noise": {"kind": "symmetric", "rate": 0.4},
            "precision": case.precision,
        }
    )


def ours(case: Case, arguments: argparse.Namespace) -> tuple[float, float]:
    """Seconds of the epochs of one run, and the peak memory of its process so far."""
    result = train(config_of(case, arguments.epochs), data_root=Path(), device=arguments.device)
    return sum(record.seconds for record in result.epochs), peak_megabytes()


def peak_megabytes() -> float:
    """Of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class PillowImages(Dataset[Any]):
    """Images one by one, as torchvision's own small data sets give them."""

    def __init__(self, images: Any, labels: Any, transform: Callable[[Any], Any]) -> None:
        self._images, self._labels, self._transform = images, labels, transform

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        image = Image.fromarray(self._images[index].squeeze())
        return self._transform(image), int(self._labels[index])


def reference(case: Case, arguments: argparse.Namespace, cores: int) -> float:
    """Seconds of the same epochs in the usual loop."""
    config = config_of(case, arguments.epochs)
    info, arrays = load_dataset(config.dataset, Path())
    device = torch.device(arguments.device)
    plain = [transforms.ToTensor(), transforms.Normalize(info.mean, info.std)]
    size = info.image_shape[1]
    random = {"crop": transforms.RandomCrop(size, 4), "flip": transforms.RandomHorizontalFlip()}
    augmented = transforms.Compose([*(random[name] for name in case.augmentation), *plain])
    loaders = [
        DataLoader(
            PillowImages(images, labels, transform),
            batch_size=case.batch_size,
            shuffle=is_training,
            num_workers=cores,
            pin_memory=device.type == "cuda",
        )
        for images, labels, transform, is_training in (
            (arrays.train_images, arrays.train_labels, augmented, True),
            (arrays.test_images, arrays.test_labels, transforms.Compose(plain), False),
        )
    ]
    build = ARCHITECTURES.build(Choice(case.architecture))
    network = build(info.image_shape, info.num_classes, torch.Generator().manual_seed(0)).to(device)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    started = time.perf_counter()
    for _ in range(arguments.epochs):
        train_epoch(network, optimizer, loaders[0], device)
        evaluate(network, loaders[1], device)
    return time.perf_counter() - started


def train_epoch(
    network: nn.Module, optimizer: torch.optim.Optimizer, loader: Any, device: torch.device
) -> float:
    network.train()
    total = torch.zeros((), device=device)
    for images, labels in loader:
        images, labels = images.to(device, non_blocking=True), labels.to(device, non_blocking=True)
        loss = nn.functional.cross_entropy(network(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.detach() * len(labels)
    return total.item()


@torch.no_grad()
def evaluate(network: nn.Module, loader: Any, device: torch.device) -> float:
    network.eval()
    hits = torch.zeros((), device=device)
    for images, labels in loader:
        predicted = network(images.to(device)).argmax(dim=1)
        hits += (predicted == labels.to(device)).sum()
    return hits.item()


def gigaflops(case: Case, images_per_second: float) -> float:
    """Rate of the training's matrix products: 6 operations per weight use and image."""
    uses = {
        "mlp1024": 1_594_368,
        "resnet20": 40_551_040,
        "resnet32": 68_862_592,
        "resnet34": 1_159_448_576,
    }[case.architecture]
    return 6 * uses * images_per_second / 1e9


if __name__ == "__main__":
    main()
