"""The store as it is read: verified files in, DuckDB views and a few typed answers out.

Opening a store reads every file once, checks its digest, sets damaged ones aside and loads the rest
into an in-memory DuckDB, which is then locked: no file or network access, no settings. Nothing is
cached on disk and no DuckDB file is ever open, so readers and a running sweep never meet.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from storage import integrity
from storage.attempt import PickRecord, PlannedCell, StudyRecord
from storage.landing import ATTEMPTS, PICKS, RECORD_KEY, STUDIES, quarantine
from storage.reporting.spec import TableSpec
from storage.schema import METRICS, attempt_schema, picks_schema, planned_schema
from storage.segments import current_segments

VIEWS = (
    "attempts",
    "cells",
    "epochs",
    "failures",
    "planned",
    "missing",
    "picks",
    "studies",
)
"""Views in the order they build on each other, one file in `views/` each."""

MEMORY_LIMIT = "4GB"


@dataclass(frozen=True)
class Damage:
    """A file that was not served. `moved_to` is None if it could not be set aside."""

    path: Path
    reason: str
    moved_to: Path | None


@dataclass(frozen=True)
class CellState:
    """What the store knows of one key.

    Args:
        outcome: of its result; `failed` if there is none.
        num_failures: failed attempts.
        error_class, error_message: of the latest failed attempt, if there is no result.
        seconds: wall time of the result.
    """

    key: str
    base_key: str
    outcome: str
    revisions: Mapping[str, int]
    num_failures: int
    error_class: str | None
    error_message: str | None
    seconds: float | None


class Store:
    """A results store, opened for reading. An absent folder is an empty store.

    Args:
        root: folder of the store.
        read_only: leave damaged files where they are instead of setting them aside.
    """

    def __init__(self, root: Path | str, *, read_only: bool = False) -> None:
        self.root = Path(root)
        self.damaged: tuple[Damage, ...] = ()
        self._read_only = read_only
        self._connection = duckdb.connect(":memory:")
        self._load()
        self._lock()

    def sql(self, query: str, parameters: Sequence[object] = ()) -> duckdb.DuckDBPyRelation:
        """A query over the views as a DuckDB relation (`.df()`, `.pl()`, `.fetchall()`, …)."""
        return self._connection.sql(query, params=list(parameters))

    def rows(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self._connection.execute(query, list(parameters)).fetchall()

    def interrupt(self) -> None:
        """End the query that runs in another thread."""
        self._connection.interrupt()

    def states(self) -> tuple[CellState, ...]:
        """What is known of each key: its result, else its failures."""
        rows = self.rows(
            "select key, base_key, outcome, revisions, num_failures, error_class, error_message, "
            "seconds from key_states order by key"
        )
        return tuple(
            CellState(key, base_key, outcome, json.loads(revisions), *rest)
            for key, base_key, outcome, revisions, *rest in rows
        )

    def curves(self, keys: Sequence[str], metric: str) -> dict[str, tuple[float | None, ...]]:
        """Per-epoch values of one metric for those of `keys` that have a result."""
        if metric not in METRICS:
            raise ValueError(f"no metric '{metric}', one of {', '.join(METRICS)}")
        rows = self.rows(
            f"select key, {metric} from results where list_contains($1, key)",
            [list(keys)],
        )
        return {key: tuple(values) for key, values in rows}

    def studies(self) -> tuple[str, ...]:
        """Names of the launched studies."""
        return tuple(name for (name,) in self.rows("select study from studies order by study"))

    def study(self, name: str) -> StudyRecord | None:
        """A study as it was last launched, None if it never was."""
        found = self._records.get(name)
        return _study_record(*found) if found else None

    def picks(self, study: str) -> tuple[PickRecord, ...]:
        """The recorded picks of a study."""
        relation = self._connection.execute("select * from picks where study = $1", [study])
        names = [column[0] for column in relation.description or ()]
        return tuple(
            PickRecord(**dict(zip(names, row, strict=True))) for row in relation.fetchall()
        )

    def _load(self) -> None:
        """Read and verify all files, then build tables and views."""
        damaged: list[Damage] = []
        attempts = [table for _, table in self._attempt_tables(damaged)]
        planned = dict(self._verified(self.root / STUDIES, damaged))
        picks = [table for _, table in self._verified(self.root / PICKS, damaged)]
        self.damaged = tuple(damaged)
        self._records = {path.stem: (path, table) for path, table in planned.items()}
        self._create_table("attempt_rows", _stack(attempts, attempt_schema()))
        self._create_table("planned_rows", _stack(list(planned.values()), planned_schema()))
        self._create_table("pick_rows", _stack(picks, picks_schema()))
        self._create_table("study_rows", _study_table(list(planned.values())))
        for view in ("results", "key_states", *VIEWS):
            self._connection.execute((files("storage") / "views" / f"{view}.sql").read_text())

    def _attempt_tables(self, damaged: list[Damage]) -> Iterator[tuple[Path, pa.Table]]:
        """Segments first, so that a result seen twice is the compacted one.

        A compaction may move files while they are read: what has gone from `attempts` stands in the
        segments that `CURRENT` names by then.
        """
        seen = current_segments(self.root)
        yield from self._verified_files(seen, damaged)
        yield from self._verified(self.root / ATTEMPTS, damaged)
        newer = [path for path in current_segments(self.root) if path not in seen]
        yield from self._verified_files(newer, damaged)

    def _verified(self, folder: Path, damaged: list[Damage]) -> Iterator[tuple[Path, pa.Table]]:
        paths = sorted(folder.glob("[!.]*")) if folder.is_dir() else []
        return self._verified_files([path for path in paths if path.is_file()], damaged)

    def _verified_files(
        self, paths: Sequence[Path], damaged: list[Damage]
    ) -> Iterator[tuple[Path, pa.Table]]:
        for path in paths:
            try:
                yield path, integrity.read(path)
            except FileNotFoundError:
                continue
            except integrity.DamagedFileError as error:
                moved_to = None if self._read_only else quarantine(self.root, path)
                damaged.append(Damage(path, str(error), moved_to))

    def _create_table(self, name: str, table: pa.Table) -> None:
        self._connection.register("incoming", table)
        self._connection.execute(f"create table {name} as select * from incoming")
        self._connection.unregister("incoming")

    def _lock(self) -> None:
        """From here on a query can read the views and reach nothing else."""
        for setting in (
            "set python_enable_replacements = false",
            f"set memory_limit = '{MEMORY_LIMIT}'",
            "set temp_directory = ''",
            "set enable_external_access = false",
            "set lock_configuration = true",
        ):
            self._connection.execute(setting)


def _stack(tables: Sequence[pa.Table], schema: pa.Schema) -> pa.Table:
    """Tables of any schema version in the present one: new columns are null in old files."""
    return pa.concat_tables([schema.empty_table(), *(_conform(t, schema) for t in tables)])


def _conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        table[field.name].cast(field.type)
        if field.name in table.column_names
        else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _facts(table: pa.Table) -> dict[str, Any]:
    return dict(json.loads(table.schema.metadata[RECORD_KEY]))


def _study_table(planned: Sequence[pa.Table]) -> pa.Table:
    facts = [_facts(table) for table in planned]
    columns = {
        "study": [fact["name"] for fact in facts],
        "title": [fact["title"] for fact in facts],
        "source_path": [fact["source_path"] for fact in facts],
        "source_sha256": [fact["source_sha256"] for fact in facts],
        "overrides": [" ".join(fact["overrides"]) for fact in facts],
        "launch": [fact["launch"] for fact in facts],
        "recorded_at": [datetime.fromisoformat(fact["recorded_at"]) for fact in facts],
        "code_version": [fact["code_version"] for fact in facts],
    }
    text = {
        name: pa.array(values, pa.string())
        for name, values in columns.items()
        if name != "recorded_at"
    }
    times = pa.array(columns["recorded_at"], pa.timestamp("us", tz="UTC"))
    return pa.table({**text, "recorded_at": times})


def _study_record(path: Path, table: pa.Table) -> StudyRecord:
    del path
    facts = _facts(table)
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
