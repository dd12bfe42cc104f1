"""Studies and picks as Arrow tables, and back as the records that landed. Knows no files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import pyarrow as pa

from storage.attempt import PickRecord, PlannedCell, StudyRecord
from storage.reporting.spec import TableSpec
from storage.schema import SCHEMA_VERSION, VERSION_KEY, picks_schema, planned_schema

RECORD_KEY = b"orchestrator.record"
"""Metadata of a study's file: everything but its cells, as JSON."""


def study_table(record: StudyRecord) -> pa.Table:
    """A study: its cells as rows, the rest as metadata."""
    facts = {key: value for key, value in vars(record).items() if key not in ("planned", "tables")}
    facts["recorded_at"] = record.recorded_at.isoformat()
    facts["tables"] = {name: spec.model_dump(mode="json") for name, spec in record.tables.items()}
    rows = [{**vars(cell), "axes": list(cell.axes.items())} for cell in record.planned]
    return _table(rows, planned_schema(), facts)


def study_facts(table: pa.Table) -> dict[str, Any]:
    """Name, title, source and the like of a study's table."""
    return dict(json.loads(table.schema.metadata[RECORD_KEY]))


def study_record(table: pa.Table) -> StudyRecord:
    """A study as it landed."""
    facts = study_facts(table)
    cells = (PlannedCell(**{**row, "axes": dict(row["axes"])}) for row in table.to_pylist())
    return StudyRecord(
        **{
            **facts,
            "overrides": tuple(facts["overrides"]),
            "recorded_at": datetime.fromisoformat(facts["recorded_at"]),
            "tables": {name: TableSpec(**spec) for name, spec in facts["tables"].items()},
            "planned": tuple(cells),
        }
    )


def picks_table(picks: Sequence[PickRecord]) -> pa.Table:
    """Picks as rows."""
    rows = [{**asdict(pick), "group": list(pick.group.items())} for pick in picks]
    return _table(rows, picks_schema(), {})


def pick_records(table: pa.Table) -> tuple[PickRecord, ...]:
    """Picks as they landed."""
    return tuple(PickRecord(**{**row, "group": dict(row["group"])}) for row in table.to_pylist())


def _table(rows: list[dict[str, Any]], schema: pa.Schema, facts: Mapping[str, Any]) -> pa.Table:
    metadata = {RECORD_KEY: json.dumps(facts), VERSION_KEY: str(SCHEMA_VERSION)}
    return pa.Table.from_pylist(rows, schema=schema.with_metadata(metadata))
