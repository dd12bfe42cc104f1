"""Data sets that no cell could be trained on, found before anything is trained."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from orchestrator.study.cell import Cell
from trainables.datasets import dataset_info
from trainables.datasets.checking import check_data


def check_datasets(cells: Iterable[Cell], data_root: Path, *, only_own: bool = False) -> None:
    """Look at each data set of `cells`, as far as it is on this machine.

    Args:
        only_own: at those only that a user brings, not at published ones, which may have to be
            decoded first.

    Raises DatasetError, whose text names the folder or file and what is wrong with it.
    """
    for dataset in dict.fromkeys(cell.config.dataset for cell in cells):
        if not (only_own and dataset_info(dataset).origin):
            check_data(dataset, data_root)
