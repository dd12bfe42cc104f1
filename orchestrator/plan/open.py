"""A study file, opened: its cells, its picks, and how it stands against the store. Runs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.plan.expectations import Expectations
from orchestrator.plan.picks import Outcomes, pick_values
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.study.cell import StudyCell
from orchestrator.study.grid import expand
from orchestrator.study.model import Phase, Study, parse_study, smoke_form
from orchestrator.study.pick import Pick
from orchestrator.study.text import Source, load_source
from storage.schema import Outcome
from storage.store import Store
from trainables import components

Picks = dict[tuple[str, str], tuple[Pick, ...]]
"""(phase, name of the pick) → one pick per group."""


@dataclass(frozen=True)
class OpenedStudy:
    """A study with the text it came from."""

    study: Study
    source: Source
    overrides: tuple[str, ...] = ()
    is_smoke: bool = False
    _expanded: dict[str, tuple[StudyCell, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def expand(self, picks: Picks) -> tuple[StudyCell, ...]:
        """Its cells, as far as the picks are known; made once. Raises StudyError."""
        known = repr(picks)
        if known not in self._expanded:
            cells = expand(self.study, self.source, components, picks, smoke=self.is_smoke)
            self._expanded[known] = cells
        return self._expanded[known]


@dataclass(frozen=True)
class PlannedStudy:
    """A study against a store: where each cell stands, and what was picked."""

    plan: Plan
    picks: Picks


def open_study(path: Path, overrides: Sequence[str] = (), *, smoke: bool = False) -> OpenedStudy:
    """Read and check a study file. Raises StudyError."""
    source = load_source(path, overrides)
    study = parse_study(source)
    return OpenedStudy(smoke_form(study) if smoke else study, source, tuple(overrides), smoke)


def plan_study(opened: OpenedStudy, store: Store, expectations: Expectations) -> PlannedStudy:
    """The study against the store, with the picks that its results allow. Raises StudyError."""
    picks: Picks = {}
    for name, phase in opened.study.stages.items():
        if phase.pick:
            plan = plan_cells(opened, picks, store, expectations)
            picks |= decide(name, phase, plan, store)
    return PlannedStudy(plan_cells(opened, picks, store, expectations), picks)


def plan_cells(opened: OpenedStudy, picks: Picks, store: Store, expectations: Expectations) -> Plan:
    """The cells of a study, as far as `picks` are known, against the store. Raises StudyError."""
    cells = opened.expand(picks)
    planned = expectations.planned(opened.study.name, cells, store.known)
    return make_plan(cells, planned, store.known)


def decide(name: str, phase: Phase, plan: Plan, store: Store) -> Picks:
    """The picks of a phase, for those groups whose cells all have results."""
    cells = [cell for cell, _ in plan.entries]
    wanted = {cell.cell.key for cell in cells if cell.phase == name and cell.cell}
    answers = {key: result for key, result in plan.answers.items() if key in wanted}
    attempts = {key: result.attempt for key, result in answers.items()}
    diverged = {key for key, result in answers.items() if result.outcome == Outcome.DIVERGED}
    picks: Picks = {}
    for pick, rule in phase.pick.items():
        curves = store.curves(attempts.values(), rule.metric)
        by_key = {key: curves[attempt] for key, attempt in attempts.items() if attempt in curves}
        outcomes = Outcomes(by_key, diverged)
        picks[name, pick] = pick_values(name, rule, cells, outcomes, phase.companions(rule))
    return picks
