"""A study file, opened: its cells, its picks, and how it stands against the store. Runs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.cell import StudyCell
from orchestrator.grid import expand
from orchestrator.phases import Pick, pick_values
from orchestrator.plan import Plan, make_plan
from orchestrator.source import Source, load_source
from orchestrator.study import Phase, Study, parse_study, smoke_form
from storage.store import Store
from trainables import catalog

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
            cells = expand(self.study, self.source, catalog, picks, smoke=self.is_smoke)
            self._expanded[known] = cells
        return self._expanded[known]


def open_study(path: Path, overrides: Sequence[str] = (), *, smoke: bool = False) -> OpenedStudy:
    """Read and check a study file. Raises StudyError."""
    source = load_source(path, overrides)
    study = parse_study(source)
    return OpenedStudy(smoke_form(study) if smoke else study, source, tuple(overrides), smoke)


def plan_study(opened: OpenedStudy, store_root: Path) -> Plan:
    """The study against the store. Raises StudyError."""
    store = Store(store_root)
    return make_plan(opened.expand(known_picks(opened, store)), store.states())


def known_picks(opened: OpenedStudy, store: Store) -> Picks:
    """Every pick that the results in the store decide. Raises StudyError."""
    picks: Picks = {}
    for name, phase in opened.study.stages.items():
        if phase.pick:
            picks |= decide(name, phase, opened.expand(picks), store)
    return picks


def decide(name: str, phase: Phase, cells: Sequence[StudyCell], store: Store) -> Picks:
    """The picks of a phase, for those groups whose cells all have results."""
    keys = [entry.cell.key for entry in cells if entry.phase == name and entry.cell]
    return {
        (name, pick): pick_values(name, rule, cells, store.curves(keys, rule.metric))
        for pick, rule in phase.pick.items()
    }
