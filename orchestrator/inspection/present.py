"""What a stored cell is here and now: its defaults, its code and its data as this machine has them.

A key names what its author wrote and leaves defaults out, so the cell of a key is made again from
its identity; the stored configuration says which values the defaults had then.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from orchestrator.plan.expectations import Expectations
from orchestrator.study.cell import Cell, StudyCell, make_cell
from storage.attempt import PlannedCell
from storage.standing.judgement import Known
from trainables import components
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
    stored_fields = json.loads(config)
    if problem := _shape_problem(stored_fields):
        return Present(identity=identity, problem=f"{UNREADABLE}: {problem}")
    written = TrainingConfig.from_dict(stored_fields)
    try:
        stored = make_cell(written, components)
        if identity is None and stored.key != key:
            return Present(stored_key=stored.key, problem=UNKNOWN)
        cell = stored if identity is None else _of_today(identity)
        planned = expectations.planned("", [_alone(cell)], known)[0]
    except Exception as error:  # noqa: BLE001 - a plug-in may raise anything when it is imported
        return Present(identity=identity, problem=f"not importable here: {_line(error)}")
    return Present(planned, identity or stored.identity, stored.key)


def _shape_problem(config: Mapping[str, Any]) -> str | None:
    """Why a configuration cannot be that of a run of today; None if it can."""
    known = {item.name: item for item in fields(TrainingConfig)}
    if unknown := sorted(config.keys() - known.keys()):
        return f"it has the field '{unknown[0]}', which no run has today"
    for name, item in known.items():
        if name not in config:
            if item.default is MISSING:
                return f"it lacks the field '{name}'"
        elif name in components.REGISTRIES and not _is_choice(config[name], item.default):
            return f"its field '{name}' does not say what is chosen"
    return None


def _is_choice(value: Any, default: object) -> bool:
    """Whether a value names a component, or each of a list does where the field is a list."""
    if isinstance(default, tuple):
        return isinstance(value, list) and all(_is_choice(one, None) for one in value)
    return isinstance(value, Mapping) and isinstance(value.get("name"), str)


def _line(error: Exception) -> str:
    """One line. Our own errors need no name of their kind."""
    text = " ".join(str(error).split())
    return text if isinstance(error, ComponentError) else f"{type(error).__name__}: {text}"


def _of_today(identity: str) -> Cell:
    """The cell that an identity names, with the defaults and the revisions of today."""
    written = {name: value for name, value in json.loads(identity).items() if name != REVISIONS}
    return make_cell(components.resolve(TrainingConfig.from_dict(written)), components)


def _alone(cell: Cell) -> StudyCell:
    """A cell that no study asks for."""
    return StudyCell("", 0, cell.config.seed, axes={}, fields={}, cell=cell)
