"""Kinds of cells that never ran here → their pace, from a few steps of one cell of each.

Trains in this process and keeps nothing. Reads data sets, so they have to be here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.plan.forecast import in_words
from orchestrator.study.cell import Cell
from storage.store import Pace
from trainables.config import TrainingConfig
from trainables.datasets import DatasetError, load_dataset
from trainables.training.process import set_up_process
from trainables.training.train import train

STEPS = 24
"""Of an epoch of the probe. The first of its two epochs, which warms up, is not counted."""


def probe(
    cells: Sequence[Cell], data_root: Path, threads: int, note: Callable[[str], None]
) -> list[Pace]:
    """The pace of each of `cells` on this machine's first GPU, else on `threads` CPU cores.

    A cell whose data set is not here is noted and left out.
    """
    set_up_process(threads)
    found = []
    for cell in cells:
        note(f"probing {in_words(cell.config)}")
        try:
            found.append(_pace(cell.config, data_root))
        except DatasetError as error:
            note(f"  not possible: {error}")
    return found


def _pace(config: TrainingConfig, data_root: Path) -> Pace:
    _, arrays = load_dataset(config.dataset, data_root)
    num_train, num_test = len(arrays.train_labels), len(arrays.test_labels)
    images = min(num_train, STEPS * config.batch_size)
    share = images / num_train
    # As many test images as the share asks for, so that one factor leads to a whole epoch.
    part = config.dataset.replace(train_size=images, test_size=max(1, round(share * num_test)))
    result = train(replace(config, dataset=part, epochs=2), data_root=data_root)
    seconds = result.epochs[-1].seconds / share
    fields = config.to_dict()
    return Pace(
        dataset=json.dumps(fields["dataset"]),
        architecture=json.dumps(fields["architecture"]),
        batch_size=config.batch_size,
        precision=config.precision,
        device=result.device,
        num_cells=0,
        low=seconds,
        middle=seconds,
        high=seconds,
    )
