"""Is a stack faster than its members one after another? Rate per member over the stack's size.

    python benchmarks/stacking.py                    # MLP1024 and the quickstart's MLP, CPU
    python benchmarks/stacking.py --device cuda --sizes 1 9 45 180

One epoch of the real training loop without start-up, one thread; sizes take turns, so that a busy
machine slows all; the figure is the median over the rounds of the ratio to size 1.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch

from trainables.components import build_config
from trainables.config import TrainingConfig
from trainables.training.train import train_stack

LOSSES = ("ce", "mae", {"name": "mae", "logit_bias": 3.0}, "gce", "nce_agce")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 3, 9, 18])
    parser.add_argument("--hidden", type=int, nargs="+", default=[1024, 512, 512])
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--images", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rates: dict[int, list[float]] = {size: [] for size in arguments.sizes}
    for _ in range(arguments.rounds):
        for size in arguments.sizes:
            rates[size].append(epochs_per_second(members(arguments, size), arguments.device))
    print(f"MLP {'-'.join(map(str, arguments.hidden))}, batch {arguments.batch}")
    for size, measured in rates.items():
        ratios = [mine / one for mine, one in zip(measured, rates[arguments.sizes[0]], strict=True)]
        print(f"  S = {size:3d}: {statistics.median(ratios):5.2f} times the epochs of S = 1")


def members(arguments: argparse.Namespace, size: int) -> list[TrainingConfig]:
    """`size` runs that differ in seed and loss."""
    return [
        build_config(
            {
                "dataset": {
                    "name": "synthetic",
                    "like": "fashion-mnist",
                    "images": arguments.images,
                    "test_size": 1000,
                },
                "architecture": {"name": "mlp", "hidden": arguments.hidden},
                "loss": LOSSES[seed % len(LOSSES)],
                "learning_rate": 0.01,
                "epochs": 3,
                "batch_size": arguments.batch,
                "noise": {"kind": "symmetric", "rate": 0.4},
                "seed": seed,
            }
        )
        for seed in range(size)
    ]


def epochs_per_second(configs: list[TrainingConfig], device: str) -> float:
    """Epochs of all members per second; the first epoch warms up."""
    ends: list[float] = []
    train_stack(
        configs,
        data_root=Path(),
        device=device,
        on_epoch=lambda *_: ends.append(time.perf_counter()),
    )
    warm = ends[len(configs) - 1]
    return (len(ends) - len(configs)) / (ends[-1] - warm)


if __name__ == "__main__":
    main()
