"""Queries over `runs` that keep settings apart: suggested after a launch and on the page."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from storage.attempt import PlannedCell

SAFE_QUERY = (
    "select study, phase, label, noise, noise_rate, setting, count(*) as n, "
    "avg(test_accuracy) as accuracy from runs where standing = 'done' group by all"
)
"""For a store of many studies: whatever they vary, `setting` keeps it apart."""

LABEL = "label"
AXES = {
    LABEL: ("loss",),
    "noise": ("noise.kind", "noise"),
    "noise_rate": ("noise.rate",),
    "dataset": ("dataset",),
    "architecture": ("architecture",),
    "num_epochs": ("epochs",),
    "learning_rate": ("learning_rate",),
    "batch_size": ("batch_size",),
    "precision": ("precision",),
}
"""Column of `runs` → the axes that it shows, in the order in which columns are tried."""

Candidates = dict[str, Callable[[PlannedCell], str]]
"""Column of `runs` → its value for a cell."""


def example_query(planned: Sequence[PlannedCell]) -> str:
    """Mean test accuracy over the seeds of each setting of a study."""
    shown = ", ".join(columns_apart(planned))
    return (
        f"select {shown}, count(*) as n, avg(test_accuracy) as accuracy from runs "
        f"where study = '{planned[0].study}' and standing = 'done' group by all"
    )


def columns_apart(planned: Sequence[PlannedCell]) -> list[str]:
    """Columns by which no two settings of a study fall together, as few as a look in order finds.

    A setting is a phase and all of a configuration but its seed.
    """
    cells = [cell for cell in planned if cell.config is not None]
    settings = [(cell.phase, _without_seed(cell)) for cell in cells]
    kept: list[str] = []
    groups: list[tuple[str, ...]] = [()] * len(cells)
    for column, value in _candidates(cells).items():
        finer = [(*group, value(cell)) for group, cell in zip(groups, cells, strict=True)]
        if column == LABEL or len(set(finer)) > len(set(groups)):
            kept.append(column)
            groups = finer
        if len(set(zip(groups, settings, strict=True))) == len(set(groups)):
            break
    return kept


def _candidates(cells: Sequence[PlannedCell]) -> Candidates:
    from storage.standing.known import axis_names  # loads Arrow, which a line of help does not need

    found: Candidates = {column: _reader(*axes) for column, axes in AXES.items()}
    found["phase"] = lambda cell: cell.phase
    others = axis_names({axis for cell in cells for axis in cell.axes})
    found |= {column: _reader(axis) for axis, column in others.items()}
    # Blocks of a study may use a label for different losses.
    found["loss_parameters"] = lambda cell: json.dumps(json.loads(cell.config or "{}").get("loss"))
    return found


def _reader(*axes: str) -> Callable[[PlannedCell], str]:
    return lambda cell: next((cell.axes[axis] for axis in axes if axis in cell.axes), "")


def _without_seed(cell: PlannedCell) -> str:
    return json.dumps({**json.loads(cell.config or "{}"), "seed": None})
