"""Cells minus the store: what is new, done, failed, stale, skipped or pending, and why.

Reasons are values made here, where the decision is taken; whoever shows a plan renders them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from orchestrator.cell import Cell, StudyCell
from storage.schema import Outcome
from storage.store import CellState


class Standing(StrEnum):
    """Where a cell stands."""

    NEW = "new"
    DONE = "done"
    FAILED = "failed"
    STALE = "stale"
    SKIPPED = "skipped"
    PENDING = "pending"

    @property
    def is_due(self) -> bool:
        """Whether a launch runs it."""
        return self in (Standing.NEW, Standing.FAILED, Standing.STALE)


@dataclass(frozen=True)
class Verdict:
    """Where one cell stands and the reason in words; empty where the standing says all."""

    standing: Standing
    reason: str = ""
    outcome: Outcome | None = None


@dataclass(frozen=True)
class Plan:
    """Every cell of a study with its verdict, in the study's order."""

    entries: tuple[tuple[StudyCell, Verdict], ...]

    def to_run(self, phase: str) -> list[Cell]:
        """Cells of a phase that a launch runs."""
        return [
            entry.cell
            for entry, verdict in self.entries
            if entry.phase == phase and entry.cell is not None and verdict.standing.is_due
        ]

    @property
    def due(self) -> tuple[Cell, ...]:
        """Distinct cells that a launch runs, whatever their phase."""
        cells = [
            entry.cell
            for entry, verdict in self.entries
            if entry.cell is not None and verdict.standing.is_due
        ]
        return tuple({cell.key: cell for cell in cells}.values())

    def num_done(self, phase: str) -> int:
        """Distinct cells of a phase that have a result."""
        return len(
            {
                entry.cell.key
                for entry, verdict in self.entries
                if entry.phase == phase and entry.cell and verdict.standing is Standing.DONE
            }
        )

    def counts(self, phase: str | None = None) -> Counter[Standing]:
        """Cells by standing; a cell that two places of the study ask for counts at each."""
        return Counter(
            verdict.standing
            for entry, verdict in self.entries
            if phase is None or entry.phase == phase
        )

    @property
    def is_complete(self) -> bool:
        """Whether every cell that is not skipped has a result."""
        return all(
            verdict.standing in (Standing.DONE, Standing.SKIPPED) for _, verdict in self.entries
        )


def make_plan(cells: Sequence[StudyCell], states: Sequence[CellState]) -> Plan:
    """Judge each cell by what the store knows of it."""
    by_key = {state.key: state for state in states}
    by_base = {state.base_key: state for state in states if Outcome(state.outcome).is_result}
    return Plan(tuple((cell, _judge(cell, by_key, by_base)) for cell in cells))


def _judge(
    entry: StudyCell, by_key: dict[str, CellState], by_base: dict[str, CellState]
) -> Verdict:
    if entry.skipped is not None:
        return Verdict(Standing.SKIPPED, entry.skipped)
    if entry.cell is None:
        return Verdict(Standing.PENDING, f"waits for the pick {entry.pending}")
    state = by_key.get(entry.cell.key)
    if state is not None and Outcome(state.outcome).is_result:
        return Verdict(Standing.DONE, outcome=Outcome(state.outcome))
    if state is not None:
        tries = "attempt" if state.num_failures == 1 else "attempts"
        reason = f"{state.num_failures} failed {tries}: {state.error_message or state.error_class}"
        return Verdict(Standing.FAILED, reason, Outcome.FAILED)
    former = by_base.get(entry.cell.base_key)
    if former is not None:
        return Verdict(Standing.STALE, _what_moved(former, entry.cell))
    return Verdict(Standing.NEW)


def _what_moved(former: CellState, cell: Cell) -> str:
    moved = [
        f"{field} {former.revisions[field]} → {revision}"
        for field, revision in cell.revisions.items()
        if former.revisions.get(field, revision) != revision
    ]
    return f"a result of another revision is there ({', '.join(moved)})"
