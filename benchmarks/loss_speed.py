"""What does a loss cost beside cross-entropy? Forward and backward on logits [128, K].

    python benchmarks/loss_speed.py
    python benchmarks/loss_speed.py --device cuda --beside ce

One thread, in a process set up as workers are; losses take turns, the figure is the median over the
rounds of the ratio to torch's own fused cross-entropy within a round, or with `--beside ce` to that
of another loss of this project.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from trainables.losses import LOSSES, build_loss
from trainables.training.process import set_up_process

BATCH = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--classes", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--beside", default="", help="a loss; torch's cross-entropy if left out")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=40)
    arguments = parser.parse_args()
    set_up_process(threads=1)
    print("| loss | " + " | ".join(f"K = {count}" for count in arguments.classes) + " |")
    print("|---|" + "---|" * len(arguments.classes))
    for name in LOSSES.names():
        ratios = [ratio_beside(name, count, arguments) for count in arguments.classes]
        print(f"| {name} | " + " | ".join(f"{ratio:.1f}" for ratio in ratios) + " |", flush=True)


def ratio_beside(name: str, num_classes: int, arguments: argparse.Namespace) -> float:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(BATCH, num_classes, generator=generator).to(arguments.device)
    labels = torch.randint(num_classes, (BATCH,), generator=generator).to(arguments.device)
    loss = build_loss({"name": name}, num_classes)
    calls = arguments.calls

    def fused(z: Tensor, k: Tensor) -> Tensor:
        return torch.nn.functional.cross_entropy(z, k, reduction="none")

    beside = arguments.beside
    plain = build_loss({"name": beside}, num_classes) if beside else fused
    seconds(plain, logits, labels, 3), seconds(loss, logits, labels, 3)
    pairs = [
        (seconds(loss, logits, labels, calls), seconds(plain, logits, labels, calls))
        for _ in range(arguments.rounds)
    ]
    return statistics.median(ours / theirs for ours, theirs in pairs)


def seconds(
    loss: Callable[[Tensor, Tensor], Tensor], logits: Tensor, labels: Tensor, calls: int
) -> float:
    logits = logits.clone().requires_grad_()
    started = time.perf_counter()
    for _ in range(calls):
        logits.grad = None
        loss(logits, labels).mean().backward()
    if logits.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
