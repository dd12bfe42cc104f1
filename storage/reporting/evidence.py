"""What the store holds for the cells of a study, as one value that tables are drawn from.

`gather` asks the store; everything after it is a pure function of its answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from storage.attempt import PickRecord, PlannedCell, StudyRecord
from storage.reporting.selection import Curve, countable, select
from storage.reporting.spec import TableSpec
from storage.schema import Outcome

AT_CHANCE = "select key from cells where at_chance"
"""What counts as guessing is said once, in the view."""


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


class State(Protocol):
    """What is read of a store's answer about one key."""

    @property
    def key(self) -> str: ...
    @property
    def base_key(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def error_class(self) -> str | None: ...
    @property
    def error_message(self) -> str | None: ...


class Rows(Protocol):
    """Answer to a query."""

    def fetchall(self) -> Sequence[tuple[Any, ...]]: ...


class DamagedFile(Protocol):
    """A file that the store did not serve."""

    @property
    def path(self) -> Path: ...
    @property
    def reason(self) -> str: ...


class Results(Protocol):
    """The questions that a report asks; `storage.Store` answers them."""

    def study(self, name: str) -> StudyRecord | None: ...
    def studies(self) -> Sequence[str]: ...
    def states(self) -> Sequence[State]: ...
    def curves(self, keys: Sequence[str], metric: str) -> Mapping[str, Curve]: ...
    def picks(self, study: str) -> Sequence[PickRecord]: ...
    def sql(self, query: str) -> Rows: ...
    @property
    def damaged(self) -> Sequence[DamagedFile]: ...


@dataclass(frozen=True)
class Evidence:
    """The store's answers for one study.

    Args:
        states: key → state, for every key ever tried.
        bases: keys without revisions that have a result of some revision.
        at_chance: keys whose last test accuracy is that of guessing.
        curves: metric → key → one value per epoch.
    """

    states: Mapping[str, State]
    bases: frozenset[str]
    at_chance: frozenset[str]
    curves: Mapping[str, Mapping[str, Curve]]

    def status(self, cell: PlannedCell) -> Status:
        """Where the cell stands, from the strongest reason down."""
        if cell.skipped is not None:
            return Status.SKIPPED
        if cell.key is None:
            return Status.PENDING
        state = self.states.get(cell.key)
        if state is not None:
            return Status(state.outcome)
        return Status.STALE if cell.base_key in self.bases else Status.MISSING

    def number(self, key: str, status: Status, spec: TableSpec) -> float | None:
        """A run's number in a table, by the table's rule; None where it is undefined."""
        curve = self.curves[spec.value].get(key, ())
        return select(countable(curve, is_diverged=status is Status.DIVERGED), spec)


def gather(results: Results, planned: Iterable[PlannedCell], metrics: Iterable[str]) -> Evidence:
    """Ask the store once for everything that the tables of a study need."""
    keys = sorted({cell.key for cell in planned if cell.key is not None})
    states = {state.key: state for state in results.states()}
    has_result = [state for state in states.values() if Outcome(state.outcome).is_result]
    return Evidence(
        states=states,
        bases=frozenset(state.base_key for state in has_result),
        at_chance=frozenset(key for (key,) in results.sql(AT_CHANCE).fetchall()),
        curves={metric: results.curves(keys, metric) for metric in sorted(set(metrics))},
    )
