"""Cells beside the store: where each stands, and what a launch would run.

The judgement itself is `storage.standing.judgement`, which reports and SQL read too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from orchestrator.study.cell import Cell, StudyCell
from storage.attempt import PlannedCell
from storage.standing.judgement import Known, Result, Standing, Verdict, judge

__all__ = ["Plan", "Standing", "Verdict", "make_plan"]


@dataclass(frozen=True)
class Plan:
    """Every cell of a study with its verdict, in the study's order.

    Args:
        planned: the cells with what their results must answer to, in the same order.
        editions: key → number of the result that a launch would make, where it is not 0.
    """

    entries: tuple[tuple[StudyCell, Verdict], ...]
    planned: tuple[PlannedCell, ...] = ()
    editions: Mapping[str, int] = field(default_factory=dict)

    def to_run(self, phase: str) -> list[Cell]:
        """Cells of a phase that a launch runs."""
        return [
            entry.cell
            for entry, verdict in self.entries
            if entry.phase == phase and entry.cell is not None and verdict.standing.is_due
        ]

    @property
    def cells(self) -> list[Cell]:
        """Every cell that is neither skipped nor pending."""
        return [entry.cell for entry, _ in self.entries if entry.cell is not None]

    @property
    def due(self) -> tuple[Cell, ...]:
        """Distinct cells that a launch runs, whatever their phase."""
        cells = [
            entry.cell
            for entry, verdict in self.entries
            if entry.cell is not None and verdict.standing.is_due
        ]
        return tuple({cell.key: cell for cell in cells}.values())

    @property
    def answers(self) -> dict[str, Result]:
        """Key → the result that answers it."""
        return {v.result.key: v.result for _, v in self.entries if v.result is not None}

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
    def unknown(self) -> Counter[str]:
        """What done cells cannot be compared in (`code`, `data`) → how many of them."""
        return Counter(what for _, verdict in self.entries for what in verdict.unknown)

    @property
    def is_complete(self) -> bool:
        """Whether every cell that is not skipped has a result."""
        return all(
            verdict.standing in (Standing.DONE, Standing.SKIPPED) for _, verdict in self.entries
        )


def make_plan(cells: Sequence[StudyCell], planned: Sequence[PlannedCell], known: Known) -> Plan:
    """Judge each cell by what the store knows of it.

    Args:
        planned: the same cells with what their results must answer to.
    """
    entries = tuple(
        (cell, _with_pick(cell, judge(asked, known)))
        for cell, asked in zip(cells, planned, strict=True)
    )
    due = {cell.cell.key for cell, verdict in entries if cell.cell and verdict.standing.is_due}
    editions = {key: number for key in due if (number := known.next_edition(key))}
    return Plan(entries, tuple(planned), editions)


def _with_pick(cell: StudyCell, verdict: Verdict) -> Verdict:
    """The verdict of a pending cell with the pick that it waits for."""
    if verdict.standing is not Standing.PENDING:
        return verdict
    return replace(verdict, note=f"waits for the pick {cell.pending}")
