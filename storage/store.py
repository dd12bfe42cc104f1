"""The store as it is read: verified files in, DuckDB views and a few typed answers out.

Opening a store verifies its files and shows them to an in-memory DuckDB, which is then locked: no
file or network access, no settings. Nothing is cached on disk and no DuckDB file is ever open, so
readers and a running sweep never meet. Curves of compacted results are read by the queries that
need them.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from storage.layout import DECISIONS, PICKS, STUDIES, files_in
from storage.probe import check_location
from storage.reading import Attempts, CurveStream, Damage, Reader, stack
from storage.records.conflicts import QUERY, Conflict, KeptConflicts, conflict_of
from storage.records.decisions import read_decisions
from storage.records.tables import (
    pick_records,
    picks_problem,
    study_problem,
    study_record,
    study_version,
)
from storage.records.versions import History
from storage.schema import METRICS, VIEWS, decisions_schema, picks_schema, planned_schema
from storage.standing.judgement import Known
from storage.standing.known import StandingStream, axes_columns, read_known

if TYPE_CHECKING:
    from storage.attempt import PickRecord, StudyRecord, StudyVersion
    from storage.reporting.notebook import NotebookReport

__all__ = ["Damage", "Pace", "Store"]

BUILDING_BLOCKS = (
    "study_rows",
    "landed_summaries",
    "attempt_rows",
    "results",
    "guesses",
    "paces",
)
"""What the public views are made of, in the order they build on each other."""

MEMORY_LIMIT = "4GB"
THREADS = 4
_VIEW_FOLDER = Path(__file__).parent / "views"


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
        self._studies = History(self._reader, STUDIES, planned_schema(), study_problem)
        self._picks = History(self._reader, PICKS, picks_schema(), picks_problem)
        self._versions = {name: self._versions_of(name) for name in sorted(self._studies.heads)}
        self._conflicts = KeptConflicts(self._reader)
        decisions = self._decision_tables()
        self.decisions = read_decisions(decisions)
        self._connection = self._open_connection(decisions)
        _fill_study_rows(self._connection, chain(*self._versions.values()))
        _lock(self._connection)

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
            with self.time_limit(timeout_seconds):
                relation = relation.materialize()
        return relation

    def rows(self, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self.sql(query, parameters).fetchall()

    @cached_property
    def known(self) -> Known:
        """What is known of every key that was ever tried."""
        return read_known((self._attempts.compacted, self._attempts.landed), self.decisions)

    def paces(self) -> tuple[Pace, ...]:
        """How long epochs took, for every kind of cell that has a result."""
        return tuple(Pace(*row) for row in self.rows("select * from paces"))

    def curves(self, attempts: Iterable[str], metric: str) -> dict[str, tuple[float | None, ...]]:
        """Attempt → per-epoch values of one metric, for those of `attempts` that are results."""
        if metric not in METRICS:
            raise ValueError(f"no metric '{metric}', one of {', '.join(METRICS)}")
        return self._attempts.metric(attempts, metric)

    def studies(self) -> tuple[str, ...]:
        """Names of the launched studies."""
        return tuple(self._versions)

    def study(self, name: str, version: int | None = None) -> StudyRecord | None:
        """A study as it was last launched, or one version of it; None if there is no such."""
        table = self._studies.table(name, version)
        return None if table is None else study_record(table)

    def study_versions(self, name: str) -> tuple[StudyVersion, ...]:
        """Every recorded version of a study, oldest first; the last is the current one."""
        return self._versions.get(name, ())

    def picks(self, study: str) -> tuple[PickRecord, ...]:
        """The picks of a study as they were last made."""
        table = self._picks.table(study)
        return () if table is None else pick_records(table)

    def conflicts(self) -> tuple[Conflict, ...]:
        """Every kept result that contradicts the one of its cell, the largest difference first."""
        order = "largest_difference desc nulls last, key, attempt"
        rows = self.rows(f"select {QUERY} from conflicts order by {order}")
        return tuple(map(conflict_of, rows))

    def conflicting_keys(self) -> frozenset[str]:
        """Keys of the cells of which a contradicting result is kept; reads no file."""
        return self._conflicts.keys()

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
        self._conflicts.table()
        return self.damaged

    def num_without_curves(self) -> int:
        """Results whose curves are lost, with a file that is damaged now or was mended since."""
        return self._attempts.num_without_curves()

    def close(self) -> None:
        """Give back memory and open files at once; garbage collection does it in time."""
        self._connection.close()
        self._attempts.close()

    def _open_connection(self, decisions: Sequence[pa.Table]) -> duckdb.DuckDBPyConnection:
        """An in-memory DuckDB with all views."""
        planned = stack(self._studies.current.values(), planned_schema())
        connection = duckdb.connect(":memory:")
        connection.execute("set timezone = 'UTC'")
        connection.register("compacted_rows", self._attempts.compacted)
        connection.register("landed_rows", self._attempts.landed)
        connection.register("curve_rows", CurveStream(self._attempts))
        connection.register("planned_rows", planned)
        connection.register("standing_rows", StandingStream(planned, lambda: self.known))
        connection.register("pick_rows", stack(self._picks.current.values(), picks_schema()))
        connection.register("decision_rows", stack(decisions, decisions_schema()))
        connection.register("conflict_rows", self._conflicts)
        for name in (*BUILDING_BLOCKS, *VIEWS):
            connection.execute(read_view(name).replace("$axes", axes_columns(planned)))
        return connection

    def _decision_tables(self) -> list[pa.Table]:
        paths = files_in(self.root / DECISIONS)
        tables = (self._reader.table(path, decisions_schema()) for path in paths)
        return [table for table in tables if table is not None]

    def _versions_of(self, name: str) -> tuple[StudyVersion, ...]:
        heads = self._studies.heads[name]
        return tuple(
            study_version(table, number, is_current=number == max(heads))
            for number, table in heads.items()
        )

    @contextmanager
    def time_limit(self, seconds: float) -> Iterator[None]:
        """Interrupts the query that runs after so many seconds. Raises TimeoutError."""
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


def _fill_study_rows(
    connection: duckdb.DuckDBPyConnection, versions: Iterable[StudyVersion]
) -> None:
    """The rows of the view `studies`."""
    columns = [column.name for column in VIEWS["studies"]]
    marks = ", ".join("?" * len(columns))
    for version in versions:
        row = {
            **vars(version),
            "overrides": " ".join(version.overrides),
            "recorded_at": version.recorded_at.astimezone(UTC).replace(tzinfo=None),
        }
        connection.execute(
            f"insert into study_rows values ({marks})", [row[name] for name in columns]
        )


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
