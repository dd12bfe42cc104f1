"""What does training reach on one GPU? Correctness first, the table last.

    python benchmarks/gpu.py --out results.json             # about 8 minutes
    python benchmarks/gpu.py --device cpu --tiny            # does this script work?

Figures are seconds per epoch with its evaluation, on data of the real size, after a first epoch
that is reported apart: it holds start-up and the recording of the steps. Beside ours stand the same
steps launched kernel by kernel, and the usual loop of `training_speed.py`: one run of it, and as
many at once as the cores of the host feed, which is the honest competitor. Needs neither Ray nor
the store.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from multiprocessing import get_context
from pathlib import Path

import torch
import training_speed
from torch import Tensor
from training_speed import CASES, Case, config_of

import trainables.training.loop
from trainables.config import Choice, TrainingConfig, TrainingResult
from trainables.training.process import set_up_process
from trainables.training.train import train_stack

FULL = {
    "MLP1024, Fashion-MNIST": replace(CASES["mlp1024"], images=60_000),
    "MLP1024, batch 32": replace(CASES["mlp1024-b32"], images=60_000),
    "ResNet-32, CIFAR-10": CASES["resnet32"],
    "ResNet-32, CIFAR-10, bf16": CASES["resnet32-bf16"],
    "ResNet-34, CIFAR-100, tf32": replace(CASES["resnet34"], precision="tf32"),
    "ResNet-34, CIFAR-100, bf16": replace(CASES["resnet34"], precision="bf16"),
}
TINY = {
    "MLP": Case("mlp1024", "fashion-mnist", 512, 128),
    "ResNet": Case("resnet20", "cifar10", 256, 128, ("crop", "flip")),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="sizes that mean nothing")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--stacks", type=int, nargs="+", default=[1, 9, 45, 180])
    parser.add_argument("--packed", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--out", type=Path, help="file for all figures, JSON")
    chosen = parser.parse_args()
    cases = TINY if chosen.tiny else FULL
    small = next(iter(cases.values()))
    convolutional = next(case for case in cases.values() if case.augmentation)
    check_recording(small, convolutional, chosen.device)
    lines: list[Line] = []
    for line in chain(
        [{"machine": machine(chosen.device)}],
        lone_runs(cases, chosen),
        losses(small, chosen),
        stacks(small, chosen),
        packed_runs(convolutional, chosen),
        references(small, convolutional, chosen),
    ):
        print(", ".join(map(in_words, line.items())), flush=True)
        lines.append(line)
        if chosen.out:
            chosen.out.write_text(json.dumps(lines, indent=1))


Line = dict[str, object]


def in_words(figure: tuple[str, object]) -> str:
    name, value = figure
    return f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"


def machine(device: str) -> str:
    name = torch.cuda.get_device_name(device) if device == "cuda" else "CPU"
    return f"{name}, {len(os.sched_getaffinity(0))} cores, torch {torch.__version__}"


@contextmanager
def launched_one_by_one() -> Iterator[None]:
    """Steps are not recorded."""
    former = trainables.training.loop.recorder_for
    trainables.training.loop.recorder_for = lambda _device: None
    try:
        yield
    finally:
        trainables.training.loop.recorder_for = former


def check_recording(small: Case, convolutional: Case, device: str) -> None:
    """Ends the script if recorded steps do not train as the steps do."""
    lone = [config_of(replace(case, images=1000), 3) for case in (small, convolutional)]
    stack = [replace(lone[0], seed=seed) for seed in range(3)]
    for configs in (lone[:1], lone[1:], stack):
        with torch.backends.cudnn.flags(enabled=True, deterministic=True):
            recorded = mean_losses(train_stack(configs, data_root=Path(), device=device))
            with launched_one_by_one():
                plain = mean_losses(train_stack(configs, data_root=Path(), device=device))
        name = f"{configs[0].architecture.name}, {len(configs)} at once"
        if not torch.allclose(recorded, plain, rtol=1e-3):
            raise SystemExit(f"recorded steps differ: {name}: {recorded} instead of {plain}")
        equal = "to the bit" if torch.equal(recorded, plain) else "within rounding"
        print(f"recorded steps are the steps {equal}: {name}")


def mean_losses(results: list[TrainingResult]) -> Tensor:
    """Of every epoch, in training and in the test: what the least difference would change."""
    records = [record for result in results for record in result.epochs]
    return torch.tensor([[r.train_loss, r.test_loss] for r in records], dtype=torch.float64)


def measure(configs: list[TrainingConfig], device: str) -> tuple[float, float, float]:
    """Seconds of the first epoch and, as a median, of a later one, all members; peak megabytes."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    results = train_stack(configs, data_root=Path(), device=device)
    epochs = [sum(r.epochs[i].seconds for r in results) for i in range(configs[0].epochs)]
    return epochs[0], statistics.median(epochs[1:]), results[0].peak_memory_bytes / 1e6


def lone_runs(cases: dict[str, Case], chosen: argparse.Namespace) -> Iterator[Line]:
    for name, case in cases.items():
        config = config_of(case, chosen.epochs)
        first, later, memory = measure([config], chosen.device)
        with launched_one_by_one():
            _, plain, _ = measure([config], chosen.device)
        yield {
            "case": name,
            "s/epoch": later,
            "first": first,
            "kernel by kernel": plain,
            "GFLOP/s": training_speed.gigaflops(case, case.images / later),
            "peak MB": memory,
        }


def losses(case: Case, chosen: argparse.Namespace) -> Iterator[Line]:
    """What a loss adds to the epoch of the smallest network."""
    config = config_of(case, chosen.epochs)
    _, cross_entropy, _ = measure([config], chosen.device)
    for name in ("mae", "gce", "nce_agce", "bitempered"):
        _, seconds, _ = measure([replace(config, loss=Choice(name))], chosen.device)
        yield {"loss": name, "of an epoch with ce": seconds / cross_entropy}


def stacks(case: Case, chosen: argparse.Namespace) -> Iterator[Line]:
    config = config_of(case, chosen.epochs)
    for size in chosen.stacks:
        members = [
            replace(config, seed=seed, loss=Choice(("ce", "mae", "gce", "nce_agce")[seed % 4]))
            for seed in range(size)
        ]
        _, seconds, memory = measure(members, chosen.device)
        yield {"stack": size, "ms per member and epoch": 1000 * seconds / size, "peak MB": memory}


def packed_runs(case: Case, chosen: argparse.Namespace) -> Iterator[Line]:
    """Several processes on one GPU, each with a run of its own."""
    for count in chosen.packed:
        yield {
            "runs at once": count,
            "s per run and epoch": at_once(count, _own_epoch, case, chosen),
        }


def references(small: Case, convolutional: Case, chosen: argparse.Namespace) -> Iterator[Line]:
    """The usual loop: alone with all cores, and so many at once that each has two loaders."""
    cores = len(os.sched_getaffinity(0))
    for case in (small, convolutional):
        for count in sorted({1, max(1, cores // 2)}):
            seconds = at_once(count, _reference_epoch, case, chosen)
            yield {
                "usual loop": case.architecture,
                "at once": count,
                "s per run and epoch": seconds,
            }


Epoch = Callable[[Case, argparse.Namespace, int], float]


def at_once(count: int, epoch: Epoch, case: Case, chosen: argparse.Namespace) -> float:
    """Seconds per run and epoch of `count` processes that start together."""
    share = max(1, len(os.sched_getaffinity(0)) // count)
    with ProcessPoolExecutor(count, get_context("spawn"), set_up_process, (share,)) as pool:
        list(pool.map(time.sleep, [1.0] * count))  # all of them have started
        runs = [pool.submit(epoch, case, chosen, share) for _ in range(count)]
        return statistics.mean(run.result() for run in runs) / count


def _own_epoch(case: Case, chosen: argparse.Namespace, share: int) -> float:
    del share
    return measure([config_of(case, chosen.epochs)], chosen.device)[1]


def _reference_epoch(case: Case, chosen: argparse.Namespace, share: int) -> float:
    arguments = argparse.Namespace(epochs=1, device=chosen.device)
    return training_speed.reference(case, arguments, share)


if __name__ == "__main__":
    main()
