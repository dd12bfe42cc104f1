"""What a stored cell is here and now: its defaults, its code and its data as this machine has them.

A key names what its author wrote and leaves defaults out, so the cell of a key is made again from
its identity; the stored configuration says which values the defaults had then.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from orchestrator.cell import Cell, StudyCell, make_cell
from orchestrator.expectations import Expectations
from storage.attempt import PlannedCell
from storage.standing import Known
from trainables import catalog
from trainables.config import TrainingConfig
from trainables.registry import ComponentError

REVISIONS = "revisions"
"""Field of an identity that is none of the configuration."""

UNREADABLE = "its configuration is none of today"
UNKNOWN = (
    "a default or a revision is not what it was, and its identity is not recorded, so what it "
    "would be today is not known"
)


@dataclass(frozen=True)
class Present:
    """What a cell is here and now.

    Args:
        planned: as a launch from here would plan it; None if it cannot be made here.
        identity: the cell without its defaults; None if it is not known.
        stored_key: key that the stored configuration has today; None if it has none here.
        problem: why one of them is missing.
    """

    planned: PlannedCell | None = None
    identity: str | None = None
    stored_key: str | None = None
    problem: str = ""


def present(
    key: str, config: str, identity: str | None, known: Known, expectations: Expectations
) -> Present:
    """The cell of a key here and now.

    Args:
        config: its configuration as stored.
        identity: its identity as stored, if it is.
    """
    try:
        written = TrainingConfig.from_dict(json.loads(config))
    except (TypeError, KeyError, ValueError) as error:
        return Present(identity=identity, problem=f"{UNREADABLE}: {_line(error)}")
    try:
        stored = make_cell(written, catalog)
        if identity is None and stored.key != key:
            return Present(stored_key=stored.key, problem=UNKNOWN)
        cell = stored if identity is None else _of_today(identity)
        planned = expectations.planned("", [_alone(cell)], known)[0]
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything when it is imported
        return Present(identity=identity, problem=f"not importable here: {_line(error)}")
    return Present(planned, identity or stored.identity, stored.key)


def _line(error: Exception) -> str:
    """One line. Our own errors need no name of their kind."""
    text = " ".join(str(error).split())
    return text if isinstance(error, ComponentError) else f"{type(error).__name__}: {text}"


def _of_today(identity: str) -> Cell:
    """The cell that an identity names, with the defaults and the revisions of today."""
    fields = {name: value for name, value in json.loads(identity).items() if name != REVISIONS}
    return make_cell(catalog.resolve(TrainingConfig.from_dict(fields)), catalog)


def _alone(cell: Cell) -> StudyCell:
    """A cell that no study asks for."""
    return StudyCell("", 0, cell.config.seed, axes={}, fields={}, cell=cell)
