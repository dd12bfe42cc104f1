"""What the store holds for the cells of a study, as one value that tables are drawn from.

`gather` asks the store; everything after it is a pure function of its answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from storage.attempt import PickRecord, PlannedCell, StudyRecord
from storage.reporting.conditions import QUERY, Conditions, read_conditions
from storage.reporting.selection import Curve, countable, select
from storage.reporting.spec import TableSpec
from storage.standing.judgement import Known, Standing, Verdict, judge


class Status(StrEnum):
    """Where a planned cell stands. Only finished and diverged cells have a number."""

    FINISHED = "finished"
    DIVERGED = "diverged"
    FAILED = "failed"
    STALE = "stale"
    PENDING = "pending"
    MISSING = "not run"
    SKIPPED = "skipped"

    @property
    def has_result(self) -> bool:
        return self in (Status.FINISHED, Status.DIVERGED)


STATUS = {
    Standing.NEW: Status.MISSING,
    Standing.FAILED: Status.FAILED,
    Standing.STALE: Status.STALE,
    Standing.SKIPPED: Status.SKIPPED,
    Standing.PENDING: Status.PENDING,
}
"""The word of a table for a cell that no result answers."""

AT_CHANCE = "select attempt from guesses"
"""What counts as guessing is said once, in the view."""


class Rows(Protocol):
    """Answer to a query."""

    def fetchall(self) -> Sequence[tuple[Any, ...]]: ...


class DamagedFile(Protocol):
    """A file that the store did not serve."""

    @property
    def path(self) -> Path: ...
    @property
    def reason(self) -> str: ...


class Contradiction(Protocol):
    """A kept attempt that has other numbers than a result."""

    @property
    def key(self) -> str: ...
    @property
    def edition(self) -> int: ...


class Results(Protocol):
    """The questions that a report asks; `storage.Store` answers them."""

    def study(self, name: str) -> StudyRecord | None: ...
    def studies(self) -> Sequence[str]: ...
    @property
    def known(self) -> Known: ...
    def curves(self, attempts: Iterable[str], metric: str) -> Mapping[str, Curve]: ...
    def conflicts(self) -> Sequence[Contradiction]: ...
    def picks(self, study: str) -> Sequence[PickRecord]: ...
    def sql(self, query: str) -> Rows: ...
    @property
    def damaged(self) -> Sequence[DamagedFile]: ...


@dataclass(frozen=True)
class Evidence:
    """The store's answers for one study.

    Args:
        verdicts: place in the study's order → where the cell stands.
        at_chance: keys whose result is that of guessing.
        curves: metric → key → one value per epoch.
        conditions: key → how its result was made.
        conflicting: keys of which the store holds results with other numbers.
    """

    verdicts: Mapping[int, Verdict]
    at_chance: frozenset[str]
    curves: Mapping[str, Mapping[str, Curve]]
    conditions: Mapping[str, Conditions] = field(default_factory=dict)
    conflicting: frozenset[str] = frozenset()

    def status(self, cell: PlannedCell) -> Status:
        """Where the cell stands."""
        verdict = self.verdicts[cell.position]
        return Status(verdict.outcome.value) if verdict.outcome else STATUS[verdict.standing]

    def reason(self, cell: PlannedCell) -> str:
        """Why it stands there."""
        return self.verdicts[cell.position].reason

    def number(self, key: str, status: Status, spec: TableSpec) -> float | None:
        """A run's number in a table, by the table's rule; None where it is undefined."""
        curve = self.curves[spec.value].get(key, ())
        return select(countable(curve, is_diverged=status is Status.DIVERGED), spec)


def gather(results: Results, planned: Iterable[PlannedCell], metrics: Iterable[str]) -> Evidence:
    """Ask the store once for everything that the tables of a study need."""
    known = results.known
    verdicts = {cell.position: judge(cell, known) for cell in planned}
    found = [verdict.result for verdict in verdicts.values() if verdict.result]
    attempts = {result.key: result.attempt for result in found}
    answers = {(result.key, result.edition) for result in found}
    guessing = {attempt for (attempt,) in results.sql(AT_CHANCE).fetchall()}
    made = read_conditions(results.sql(QUERY).fetchall())
    return Evidence(
        verdicts,
        frozenset(key for key, attempt in attempts.items() if attempt in guessing),
        {metric: _by_key(results, attempts, metric) for metric in sorted(set(metrics))},
        {key: made[attempt] for key, attempt in attempts.items() if attempt in made},
        frozenset(one.key for one in results.conflicts() if (one.key, one.edition) in answers),
    )


def _by_key(results: Results, attempts: Mapping[str, str], metric: str) -> dict[str, Curve]:
    curves = results.curves(attempts.values(), metric)
    return {key: curves[attempt] for key, attempt in attempts.items() if attempt in curves}
