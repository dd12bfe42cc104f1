"""The store as it is read: verified files in, DuckDB views and a few typed answers out.

Opening a store verifies its files and shows them to an in-memory DuckDB, which is then locked: no
file or network access, no settings. Nothing is cached on disk and no DuckDB file is ever open, so
readers and a running sweep never meet. Curves of compacted results are read by the queries that
need them.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from storage.layout import PICKS, STUDIES, files_in
from storage.probe import check_location
from storage.reading import Attempts, CurveStream, Damage, Reader, stack
from storage.schema import METRICS, VIEWS, picks_schema, planned_schema

if TYPE_CHECKING:
    from storage.attempt import PickRecord, StudyRecord
    from storage.reporting.notebook import NotebookReport

__all__ = ["CellState", "Damage", "Pace", "Store"]

BUILDING_BLOCKS = (
    "study_rows",
    "landed_summaries",
    "attempt_rows",
    "results",
    "key_states",
    "paces",
)
"""What the public views are made of, in the order they build on each other."""

MEMORY_LIMIT = "4GB"
THREADS = 4
_VIEW_FOLDER = Path(__file__).parent / "views"


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


@dataclass(frozen=True)
class Pace:
    """How long an epoch took, by what decides it.

    Args:
        dataset, architecture: components as JSON.
        batch_size, precision, device: as in the cells.
        num_cells: results behind the figures.
        low, middle, high: seconds an epoch at the 10th, 50th and 90th percentile of the cells.
    """

    dataset: str
    architecture: str
    batch_size: int
    precision: str
    device: str
    num_cells: int
    low: float
    middle: float
    high: float


class Store:
    """A results store as it stood when it was opened. An absent folder is an empty store.

    Args:
        root: folder of the store.
        read_only: leave damaged files where they are instead of setting them aside.

    Raises LandingError for an address or a file where a folder is needed.
    """

    def __init__(self, root: Path | str, *, read_only: bool = False) -> None:
        check_location(root)
        self.root = Path(root)
        self._reader = Reader(self.root, read_only)
        self._attempts = Attempts(self._reader)
        self._studies = self._record_tables(STUDIES, planned_schema())
        self._picks = self._record_tables(PICKS, picks_schema())
        self._connection = _open_connection(self._attempts, self._studies, self._picks)

    @property
    def damaged(self) -> tuple[Damage, ...]:
        """What was not served, and what it costs. Damaged curves are met on first use."""
        return tuple(self._reader.damaged)

    @property
    def newer_files(self) -> tuple[Path, ...]:
        """Files of a newer schema version: served without the columns unknown here."""
        return tuple(dict.fromkeys(self._reader.newer))

    def sql(
        self,
        query: str,
        parameters: Sequence[object] = (),
        *,
        timeout_seconds: float | None = None,
    ) -> duckdb.DuckDBPyRelation:
        """A query over the views as a DuckDB relation (`.df()`, `.pl()`, `.fetchall()`, …).

        Without a time limit the relation runs when its rows are asked for; with one it runs here.
        Raises duckdb.Error, and TimeoutError past the limit.
        """
        relation = self._connection.sql(query, params=list(parameters))
        if timeout_seconds is not None:
            with self._time_limit(timeout_seconds):
                relation = relation.materialize()
        return relation

    def rows(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self.sql(query, parameters).fetchall()

    def states(self) -> tuple[CellState, ...]:
        """What is known of each key: its result, else its failures."""
        fields = "key, base_key, outcome, revisions, num_failures, error_class, error_message"
        rows = self.rows(f"select {fields}, seconds from key_states order by key")
        return tuple(
            CellState(key, base_key, outcome, json.loads(revisions), *rest)
            for key, base_key, outcome, revisions, *rest in rows
        )

    def paces(self) -> tuple[Pace, ...]:
        """How long epochs took, for every kind of cell that has a result."""
        return tuple(Pace(*row) for row in self.rows("select * from paces"))

    def curves(self, keys: Sequence[str], metric: str) -> dict[str, tuple[float | None, ...]]:
        """Per-epoch values of one metric for those of `keys` that have a result."""
        if metric not in METRICS:
            raise ValueError(f"no metric '{metric}', one of {', '.join(METRICS)}")
        return self._attempts.metric(keys, metric)

    def studies(self) -> tuple[str, ...]:
        """Names of the launched studies."""
        return tuple(sorted(self._studies))

    def study(self, name: str) -> StudyRecord | None:
        """A study as it was last launched, None if it never was."""
        from storage.records import study_record

        return study_record(self._studies[name]) if name in self._studies else None

    def picks(self, study: str) -> tuple[PickRecord, ...]:
        """The recorded picks of a study."""
        from storage.records import pick_records

        return pick_records(self._picks[study]) if study in self._picks else ()

    def table(self, study: str, name: str | None = None) -> NotebookReport:
        """A study's tables, or the one called `name`; renders in Jupyter, prints as Markdown.

        Raises:
            StudyNotFoundError: no such study.
            KeyError: the study has no such table.
        """
        from storage.reporting.notebook import NotebookReport
        from storage.reporting.report import build_report

        record = self.study(study)
        report = build_report(self, study, Path(record.source_path).parent if record else Path())
        if name is None:
            return NotebookReport(report)
        chosen = tuple(table for table in report.tables if table.name == name)
        if not chosen:
            raise KeyError(f"study {study} has {', '.join(t.name for t in report.tables)}")
        beside = tuple(c for c in report.comparisons if c.table.name == name)
        return NotebookReport(replace(report, tables=chosen, comparisons=beside))

    def verify(self) -> tuple[Damage, ...]:
        """Check what opening left for later, and return all damage found."""
        self._attempts.verify()
        return self.damaged

    def close(self) -> None:
        """Give back memory and open files at once; garbage collection does it in time."""
        self._connection.close()
        self._attempts.close()

    def _record_tables(self, folder: str, schema: pa.Schema) -> dict[str, pa.Table]:
        """Record name → its rows, for every sound file of a folder."""
        tables = {path: self._reader.table(path, schema) for path in files_in(self.root / folder)}
        return {path.stem: table for path, table in tables.items() if table is not None}

    @contextmanager
    def _time_limit(self, seconds: float) -> Iterator[None]:
        timer = threading.Timer(seconds, self._connection.interrupt)
        timer.start()
        try:
            yield
        except duckdb.InterruptException as error:
            raise TimeoutError(f"the query was ended after {seconds:g} s") from error
        finally:
            timer.cancel()


def read_view(name: str) -> str:
    """The SQL that defines a view."""
    return (_VIEW_FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def _open_connection(
    attempts: Attempts, studies: Mapping[str, pa.Table], picks: Mapping[str, pa.Table]
) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB with all views, locked."""
    connection = duckdb.connect(":memory:")
    connection.execute("set timezone = 'UTC'")
    connection.register("compacted_rows", attempts.compacted)
    connection.register("landed_rows", attempts.landed)
    connection.register("curve_rows", CurveStream(attempts))
    connection.register("planned_rows", stack(studies.values(), planned_schema()))
    connection.register("pick_rows", stack(picks.values(), picks_schema()))
    for name in (*BUILDING_BLOCKS, *VIEWS):
        connection.execute(read_view(name))
    for table in studies.values():
        connection.execute("insert into study_rows values ($1,$2,$3,$4,$5,$6,$7,$8)", _row(table))
    _lock(connection)
    return connection


def _lock(connection: duckdb.DuckDBPyConnection) -> None:
    """From here on a query can read the views and reach nothing else."""
    for setting in (
        "set python_enable_replacements = false",
        f"set memory_limit = '{MEMORY_LIMIT}'",
        f"set threads = {THREADS}",
        "set temp_directory = ''",
        "set enable_external_access = false",
        "set lock_configuration = true",
    ):
        connection.execute(setting)


def _row(table: pa.Table) -> list[Any]:
    """A study's row in the view `studies`."""
    from storage.records import study_facts

    facts = study_facts(table)
    recorded_at = datetime.fromisoformat(facts["recorded_at"]).astimezone(UTC).replace(tzinfo=None)
    return [
        *(facts[name] for name in ("name", "title", "source_path", "source_sha256")),
        " ".join(facts["overrides"]),
        facts["launch"],
        recorded_at,
        facts["code_version"],
    ]
