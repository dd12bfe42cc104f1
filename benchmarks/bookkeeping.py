"""What a worker does beside training: from cell to cell, and evaluating every epoch.

    python benchmarks/bookkeeping.py

Cells run one after another in this process as on the worker of a launch, landing included. Time
between cells is what is left of a cell's wall time when that of its epochs is taken away: the first
cell also reads its data. Evaluation is the share of an epoch that falls away with the test images.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from driver_overhead import tasks_of, worker_settings

from orchestrator.cluster.trial import run_cells
from orchestrator.sweep.attempt import Task
from storage import Store
from trainables.config import TrainingConfig
from trainables.training.train import train

CASES = {
    "MLP1024, Fashion-MNIST's size": ("mlp1024", "fashion-mnist", 60_000, 10_000),
    "ResNet-20, a tenth of CIFAR-10": ("resnet20", "cifar10", 5_000, 1_000),
}
CELLS, ROUNDS = 5, 5

STUDY = """
study: direct
cell:
  dataset: {{name: synthetic, like: {like}, images: {images}, test_size: {test}}}
  architecture: {architecture}
  noise: {{kind: symmetric, rate: 0.4}}
  learning_rate: 0.01
  batch_size: 128
  epochs: 1
losses: {{CE: ce}}
seeds: {cells}
grid: {{loss: all}}
"""


def main() -> None:
    for label, (architecture, like, images, test) in CASES.items():
        with tempfile.TemporaryDirectory() as name:
            study = Path(name) / "direct.yaml"
            fields = {"architecture": architecture, "like": like, "images": images, "test": test}
            study.write_text(STUDY.format(**fields, cells=CELLS))
            tasks = tasks_of(study)
            first, *others = seconds_between(tasks, Path(name))
            share = evaluation_share(TrainingConfig.from_dict(tasks[0].config))
        print(
            f"{label}: {statistics.median(others):.2f} s between cells of a reused worker, "
            f"{first:.2f} s before the first; evaluation {100 * share:.1f} % of an epoch",
            flush=True,
        )


def seconds_between(tasks: list[Task], folder: Path) -> list[float]:
    """Wall time of each cell without its epochs."""
    settings = worker_settings(folder, threads=os.cpu_count() or 1)
    walls = []
    for task in tasks:
        started = time.perf_counter()
        run_cells([task], settings)
        walls.append(time.perf_counter() - started)
    question = "select key, sum(seconds) from epochs group by key"
    epochs = dict(Store(Path(settings.store)).sql(question).fetchall())
    return [wall - epochs[task.key] for wall, task in zip(walls, tasks, strict=True)]


def evaluation_share(config: TrainingConfig) -> float:
    """Part of an epoch's time that goes with the test images; with and without take turns."""
    without = replace(config, dataset=config.dataset.replace(test_size=1))
    shares = []
    for _ in range(ROUNDS):
        full, bare = (train(c, data_root=Path()).epochs[-1].seconds for c in (config, without))
        shares.append(1 - bare / full)
    return statistics.median(shares)


if __name__ == "__main__":
    main()
