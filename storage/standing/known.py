"""What a store knows, as values for a judgement, and the judgements as rows for SQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from storage.records.decisions import Decision, accepted, redone
from storage.schema import SETTINGS, TEXT, VIEWS, WHOLE, Outcome
from storage.standing.judgement import Failures, Known, Result, judge

RESULT_FIELDS = tuple(item.name for item in fields(Result) if item.name != "redo")
ATTEMPT = RESULT_FIELDS.index("attempt")
FAILURE_FIELDS = ("key", "committed_at", "attempt", "error_class", "error_message")

AXES_HELD_ELSEWHERE = {
    "loss",
    "noise",
    "noise.kind",
    "noise.rate",
    "epochs",
    *(name for name in SETTINGS if "_" not in name),
    "learning_rate",
    "batch_size",
}
"""Axes that `runs` shows in a column of the settings, or as the label."""

NULL = "null"
"""How a study writes that an axis has no value."""

KINDS = {
    "double": re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.ASCII | re.IGNORECASE),
    "boolean": re.compile("true|false"),
}
"""SQL type of a column → the form of its values; all others are text."""

STANDING = pa.schema(
    [
        pa.field("study", TEXT),
        pa.field("position", WHOLE),
        pa.field("standing", TEXT),
        pa.field("reason", TEXT),
        pa.field("attempt", TEXT),
    ]
)


def read_known(attempts: Iterable[pa.Table], decisions: Iterable[Decision]) -> Known:
    """Every result and every failure, by key. No SQL: a query may be what asks for it.

    Args:
        attempts: tables with the columns of attempts.
    """
    decisions = tuple(decisions)
    results: dict[str, list[Result]] = {}
    failed: dict[str, list[dict[str, Any]]] = {}
    is_redone = redone(decisions)
    revisions: dict[str, str] = {}
    for table in attempts:
        is_failed = pc.equal(table["outcome"], Outcome.FAILED.value)
        for values in _rows(table, pc.invert(is_failed), RESULT_FIELDS):
            result = Result(*(*values, is_redone.get(values[ATTEMPT])))
            results.setdefault(result.key, []).append(result)
            revisions[result.base_key] = result.revisions
        for values in _rows(table, is_failed, FAILURE_FIELDS):
            row = dict(zip(FAILURE_FIELDS, values, strict=True))
            failed.setdefault(row["key"], []).append(row)
    newest_first = {
        key: tuple(sorted(found, key=lambda result: -result.edition))
        for key, found in results.items()
    }
    return Known(
        newest_first,
        {key: _failures(rows) for key, rows in failed.items()},
        revisions,
        accepted(decisions),
    )


def _rows(table: pa.Table, mask: Any, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Values of the columns `names` in the rows of `mask`, the oldest first.

    Column by column: a mapping for each row takes longer. Times are whole numbers, since as Python
    values they would import pandas.
    """
    chosen = table.select([*dict.fromkeys((*names, "committed_at"))]).filter(mask)
    if not len(chosen):
        return iter(())
    ordered = chosen.sort_by("committed_at")
    columns = (_plain(name, ordered[name]).to_pylist() for name in names)
    return zip(*columns, strict=True)


def _plain(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if name == "edition":
        return pc.fill_null(column, 0)
    return column.cast(WHOLE) if pa.types.is_timestamp(column.type) else column


def _failures(rows: Sequence[dict[str, Any]]) -> Failures:
    latest = max(rows, key=lambda row: (row["committed_at"], row["attempt"]))
    return Failures(len(rows), latest["error_class"], latest["error_message"])


class StandingStream:
    """Where every planned cell stands, as an Arrow stream made anew by each query that needs it."""

    def __init__(self, planned: pa.Table, known: Callable[[], Known]) -> None:
        self._planned, self._known = planned, known

    def __arrow_c_schema__(self) -> Any:
        return STANDING.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        batches = [self._judged()] if len(self._planned) else []
        reader = pa.RecordBatchReader.from_batches(STANDING, batches)
        return reader.__arrow_c_stream__(requested_schema)

    def _judged(self) -> pa.RecordBatch:
        from storage.attempt import PlannedCell

        known = self._known()
        rows = []
        for row in self._planned.drop_columns(["axes"]).to_pylist():
            verdict = judge(PlannedCell(**row, axes={}), known)
            attempt = verdict.result.attempt if verdict.result else None
            reason = verdict.reason or None
            rows.append((row["study"], row["position"], verdict.standing.value, reason, attempt))
        columns = [list(column) for column in zip(*rows, strict=True)]
        return pa.record_batch(
            [pa.array(c, f.type) for c, f in zip(columns, STANDING, strict=True)], schema=STANDING
        )


def axes_columns(planned: pa.Table) -> str:
    """The select list of `runs` for the axes that no other column holds, each after a comma.

    A column whose values are all numbers, or all true or false, is one of these.
    """
    if not len(planned):
        return ""
    maps = pa.concat_arrays(planned["axes"].chunks)
    keys, items = maps.keys, maps.items
    text = ""
    for axis, name in axis_names(pc.unique(keys).to_pylist()).items():
        value = f"axes[{_quoted(axis, chr(39))}]"
        values = set(pc.unique(items.filter(pc.equal(keys, axis))).to_pylist()) - {NULL}
        if kind := next((kind for kind, form in KINDS.items() if _all_match(form, values)), None):
            value = f"try_cast({value} as {kind})"
        text += f",\n    {value} as {_quoted(name, chr(34))}"
    return text


def axis_names(axes: Iterable[str]) -> dict[str, str]:
    """Axis → its column in `runs`, for those that no other column holds.

    A name is that of the axis with `_` for each dot. SQL knows no capitals, and neither two columns
    of a name.
    """
    taken = {column.name for column in VIEWS["runs"]}
    found = {}
    for axis in sorted(set(axes) - AXES_HELD_ELSEWHERE):
        name = re.sub(r"\W+", "_", axis).strip("_") or "axis"
        while name.casefold() in taken:
            name = f"axis_{name}"
        taken.add(name.casefold())
        found[axis] = name
    return found


def _all_match(form: re.Pattern[str], values: set[str | None]) -> bool:
    return bool(values) and all(form.fullmatch(value or "") for value in values)


def _quoted(text: str, mark: str) -> str:
    return mark + text.replace(mark, 2 * mark) + mark
