"""The keys of the studies' first cells: what every store in the world finds its results by."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from orchestrator.plan.open import open_study
from orchestrator.study.cell import Cell
from tests.golden.figures import Figure, exact

STUDIES = Path(__file__).parents[2] / "studies"


LEFT_OUT = {"table3"}
"""Calibrates losses by sampling, which takes longer than all other studies together."""


def study_files() -> dict[str, Path]:
    """Name → file, of the studies that the project has."""
    return {
        str(path.relative_to(STUDIES).with_suffix("")): path
        for path in sorted(STUDIES.rglob("*.yaml"))
        if path.parent.name != "protocols" and path.stem not in LEFT_OUT
    }


def first_cell(path: Path) -> Cell:
    """The first cell that needs no pick."""
    cells = (entry.cell for entry in open_study(path).expand({}))
    return next(cell for cell in cells if cell)


def figures(cell: Cell) -> Mapping[str, Figure]:
    """Its key, and the text that the key is the digest of, which shows what moved."""
    return {
        "identity": exact(cell.identity),
        "key": exact(cell.key),
        "key without revisions": exact(cell.base_key),
    }
