"""Studies and picks as Arrow tables, and back as the records that landed. Knows no files.

A record from elsewhere may say anything, so what is wrong with one is told here, before it is used.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from storage.attempt import PickRecord, PlannedCell, StudyRecord, StudyVersion
from storage.checking.content import CLOCK_TOLERANCE
from storage.integrity import DamagedFileError
from storage.layout import KEY
from storage.reader import conform
from storage.schema import SCHEMA_VERSION, VERSION_KEY, picks_schema, planned_schema

RECORD_KEY = b"orchestrator.record"
"""Metadata of a study's file: everything but its cells, as JSON."""

_NOT_TEXT = ("overrides", "tables", "figures", "planned", "recorded_at")
_PLANNED_ALWAYS = ("study", "phase", "position", "seed", "axes")
_PICKS_MAY_LACK = ("metric", "runner_up", "runner_up_score", "changed_share")


def study_table(record: StudyRecord) -> pa.Table:
    """A study: its cells as rows, the rest as metadata."""
    facts = {key: value for key, value in vars(record).items() if key != "planned"}
    facts["recorded_at"] = record.recorded_at.isoformat()
    facts["tables"] = {name: spec.model_dump(mode="json") for name, spec in record.tables.items()}
    facts["figures"] = {name: spec.model_dump(mode="json") for name, spec in record.figures.items()}
    rows = [{**vars(cell), "axes": list(cell.axes.items())} for cell in record.planned]
    return _table(rows, planned_schema(), facts)


def study_head(table: pa.Table) -> StudyRecord:
    """A study without its cells. Raises ValueError if its facts are not those of a study."""
    from storage.reporting.spec import FigureSpec, TableSpec  # their checker is slow to load

    try:
        facts = json.loads((table.schema.metadata or {})[RECORD_KEY])
        names = [field.name for field in fields(StudyRecord)]
        texts = {name: _text(facts, name) for name in names if name not in _NOT_TEXT}
        return StudyRecord(
            **texts,
            overrides=tuple(str(item) for item in facts["overrides"]),
            tables={name: TableSpec(**spec) for name, spec in facts["tables"].items()},
            # Records of older versions declare no figures.
            figures={name: FigureSpec(**spec) for name, spec in facts.get("figures", {}).items()},
            recorded_at=_moment(facts["recorded_at"]),
            planned=(),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the facts of the study cannot be read: {error!r}") from error


def study_record(table: pa.Table) -> StudyRecord:
    """A study as it landed."""
    cells = (PlannedCell(**{**row, "axes": dict(row["axes"])}) for row in table.to_pylist())
    return replace(study_head(table), planned=tuple(cells))


def study_version(table: pa.Table, version: int, *, is_current: bool) -> StudyVersion:
    """What the view `studies` says of one version."""
    head = study_head(table)
    shared = {field.name for field in fields(StudyVersion)} & set(vars(head))
    facts = {name: getattr(head, name) for name in shared}
    return StudyVersion(study=head.name, version=version, is_current=is_current, **facts)


def picks_table(picks: Sequence[PickRecord]) -> pa.Table:
    """Picks as rows."""
    rows = [{**asdict(pick), "group": list(pick.group.items())} for pick in picks]
    return _table(rows, picks_schema(), {})


def pick_records(table: pa.Table) -> tuple[PickRecord, ...]:
    """Picks as they landed."""
    return tuple(PickRecord(**{**row, "group": dict(row["group"])}) for row in table.to_pylist())


def asks_the_same(one: pa.Table, other: pa.Table) -> bool:
    """Whether two studies have the same text, overrides, tables, figures and cells.

    Who launched them, when and from which file may differ.
    """
    heads = [_asked(study_head(table)) for table in (one, other)]
    return heads[0] == heads[1] and _same_rows(one, other, planned_schema())


def is_same_record(newest: pa.Table, table: pa.Table) -> bool:
    """Whether a study's newest record says what another does, so that no new one is needed.

    Its file must be the same as well: published tables are found from there.
    """
    paths = [study_head(record).source_path for record in (newest, table)]
    return paths[0] == paths[1] and asks_the_same(newest, table)


def are_same_picks(newest: pa.Table, table: pa.Table) -> bool:
    """Whether two records hold the same picks, whenever they were made."""
    schema = picks_schema()
    return _same_rows(newest, table, schema.remove(schema.get_field_index("picked_at")))


def study_problem(name: str, table: pa.Table) -> str | None:
    """What is wrong with a study's record that lies under `name`, None if it can be used.

    A record read without its rows is judged by its facts.
    """
    try:
        head = study_head(table)
    except ValueError as error:
        return " ".join(str(error).split())
    if head.name != name:
        return f"it holds the study '{head.name}'"
    return _rows_problem(name, table, _PLANNED_ALWAYS)


def picks_problem(name: str, table: pa.Table) -> str | None:
    """What is wrong with the picks that lie under `name`, None if they can be used."""
    always = [field.name for field in picks_schema() if field.name not in _PICKS_MAY_LACK]
    if reason := _rows_problem(name, table, always):
        return reason
    scores = table["score"].to_pylist() if "score" in table.column_names else []
    return "a score is no number" if any(map(math.isnan, scores)) else None


def foreign_study_problem(name: str, table: pa.Table, now: datetime) -> str | None:
    """What is wrong with a study's record from another store: its time and its cells as well."""
    if reason := study_problem(name, table):
        return reason
    recorded_at = study_head(table).recorded_at
    if recorded_at > now + CLOCK_TOLERANCE:
        return f"it was recorded in the future, on {recorded_at:%Y-%m-%d}"
    for column, is_sound in (
        ("key", KEY.fullmatch),
        ("base_key", KEY.fullmatch),
        ("config", _is_json),
    ):
        values = table[column].drop_null().to_pylist() if column in table.column_names else []
        if wrong := [value for value in values if not is_sound(value)]:
            return f"{wrong[0][:40]!r} is no {column} of a cell"
    return None


def _asked(head: StudyRecord) -> tuple[Any, ...]:
    declared = dict(head.tables), dict(head.figures)
    return head.name, head.title, head.source_text, head.overrides, *declared


def _same_rows(one: pa.Table, other: pa.Table, schema: pa.Schema) -> bool:
    """Whether two tables agree in the columns of `schema`; what an old one lacks is null."""
    try:
        return bool(conform(one, schema).equals(conform(other, schema)))
    except DamagedFileError:
        return False


def _rows_problem(name: str, table: pa.Table, always: Sequence[str]) -> str | None:
    present = [column for column in always if column in table.column_names]
    for column in present:
        if table[column].null_count:
            return f"a row has no {column}"
    others = set(table["study"].unique().to_pylist()) if present else set()
    if strange := sorted(others - {name}):
        return f"a row belongs to the study '{strange[0]}'"
    return None


def _text(facts: Mapping[str, Any], name: str) -> str:
    if not isinstance(facts[name], str):
        raise TypeError(f"{name} is no text")
    return str(facts[name])


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"the time {text} has no zone")
    return moment.astimezone(UTC)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _table(rows: list[dict[str, Any]], schema: pa.Schema, facts: Mapping[str, Any]) -> pa.Table:
    metadata = {RECORD_KEY: json.dumps(facts), VERSION_KEY: str(SCHEMA_VERSION)}
    return pa.Table.from_pylist(rows, schema=schema.with_metadata(metadata))
