"""Results that shall be made anew: which they are, and the decision that says so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from storage.attempt import PlannedCell, StudyRecord
from storage.records.decisions import Decision
from storage.standing.judgement import Known, Result, judge
from trainables.registry import nearest


class WhereError(Exception):
    """A condition names no field or value that a cell of the study has."""


def matching(record: StudyRecord, where: Sequence[str]) -> list[PlannedCell]:
    """Cells of a study that meet every `field=value`. Raises WhereError."""
    cells = [cell for cell in record.planned if cell.key is not None]
    for condition in where:
        field, equals, value = condition.partition("=")
        if not equals:
            raise WhereError(f"a condition reads field=value, not '{condition}'")
        known = {name for cell in cells for name in _fields(cell)}
        if field not in known:
            raise WhereError(f"no cell has a field '{field}'{_hint(field, known)}")
        values = {_fields(cell).get(field, "") for cell in cells}
        if value not in values:
            raise WhereError(f"no cell has {field}={value}{_hint(value, values)}")
        cells = [cell for cell in cells if _fields(cell).get(field) == value]
    return cells


def answers(cells: Sequence[PlannedCell], known: Known) -> list[Result]:
    """The results that answer these cells, each once."""
    found = (judge(cell, known).result for cell in cells)
    return list({result.attempt: result for result in found if result is not None}.values())


def redo(results: Sequence[Result], reason: str) -> Iterator[Decision]:
    """That results no longer answer."""
    now = datetime.now(UTC)
    for result in results:
        yield Decision("redo", result.key, result.attempt, reason, now)


def _fields(cell: PlannedCell) -> Mapping[str, str]:
    return {**cell.axes, "seed": str(cell.seed), "phase": cell.phase, "key": cell.key or ""}


def _hint(word: str, known: set[str]) -> str:
    found = nearest(word, known)
    return f" (did you mean {found}?)" if found else f"; there are {', '.join(sorted(known)[:12])}"
