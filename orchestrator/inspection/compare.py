"""Two words of a user → in what the things that they name differ, in lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from orchestrator.inspection.compare_cells import compare_cells
from orchestrator.inspection.compare_lines import cell_lines, store_lines, study_lines
from orchestrator.inspection.compare_stores import compare_stores
from orchestrator.inspection.compare_studies import compare_studies
from orchestrator.inspection.sides import (
    KINDS,
    CellSide,
    SideError,
    StoreSide,
    StudySide,
    find_side,
)
from storage.store import Store


def compare(first: str, second: str, store: Store, data_root: Path) -> Iterator[str]:
    """Find both, compare them and tell what differs.

    Raises:
        SideError: one names nothing, or the two name things of two kinds.
        KeyPrefixError: one is the beginning of several keys.
        StudyError: a study file is wrong.
    """
    sides = find_side(first, store, data_root), find_side(second, store, data_root)
    match sides:
        case CellSide() as left, CellSide() as right:
            return cell_lines(compare_cells(left, right, store))
        case StudySide() as left, StudySide() as right:
            return study_lines(compare_studies(left, right))
        case StoreSide() as left, StoreSide() as right:
            return store_lines(compare_stores(left, right))
    kinds = [KINDS[type(side)] for side in sides]
    raise SideError(f"{first} is {kinds[0]} and {second} is {kinds[1]}")
