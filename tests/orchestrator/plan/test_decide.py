"""A phase against the store → its picks, and the rows that the store keeps of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from orchestrator.plan.open import decide
from orchestrator.plan.plan import Plan, Standing, Verdict
from orchestrator.plan.records import pick_records
from orchestrator.study.cell import StudyCell
from orchestrator.study.model import Phase, PickRule
from orchestrator.study.text import StudyError
from storage.standing.judgement import Result

RATES = "grid: {loss: [CE], learning_rate: [0.1, 0.2]}\n"


@dataclass(frozen=True)
class FakeStore:
    """Answers for a few results: key → outcome and curve."""

    results: dict[str, tuple[str, list[float | None]]]

    def plan(self, cells: tuple[StudyCell, ...]) -> Plan:
        """Each cell answered by its result, whose attempt is called by its key."""
        return Plan(tuple((cell, self._verdict(cell)) for cell in cells))

    def _verdict(self, cell: StudyCell) -> Verdict:
        found = cell.cell and self.results.get(cell.cell.key)
        if not (found and cell.cell):
            return Verdict(Standing.NEW)
        key = cell.cell.key
        result = Result(key, "", key, 0, found[0], "{}", "{}", None, None, None)
        return Verdict(Standing.DONE, result=result)

    def curves(self, attempts: Iterable[str], metric: str) -> dict[str, list[float | None]]:
        return {attempt: self.results[attempt][1] for attempt in attempts}


def test_a_diverged_run_is_no_winner_by_its_best_epoch(opened, cells) -> None:
    study, _ = opened(RATES)
    found = cells(RATES)
    fast, slow = (entry.cell.key for entry in found)
    store = FakeStore({fast: ("diverged", [0.9, 0.1]), slow: ("finished", [0.4, 0.5])})
    phase = Phase(pick={"rate": PickRule(field="learning_rate", select="best")})
    picks = decide("main", phase, store.plan(found), store)
    (record,) = pick_records(study, picks)
    assert (record.value, record.score, record.runner_up_score) == ("0.2", 0.5, 0.1)
    assert record.metric == "test_accuracy"


ZIPPED = """
phases:
  search:
    grid: {loss: [CE]}
    zip: [{learning_rate: [0.1, 0.2], batch_size: [8, 16]}]
    pick: {rate: {field: learning_rate}, size: {field: batch_size%s}}
"""


def test_fields_that_advance_together_are_picked_together(opened, cells) -> None:
    study, _ = opened(ZIPPED % "")
    found = cells(ZIPPED % "")
    keys = [entry.cell.key for entry in found]
    store = FakeStore({keys[0]: ("finished", [0.4]), keys[1]: ("finished", [0.5])})
    picks = decide("search", study.stages["search"], store.plan(found), store)
    assert {name: pick.value for (_, name), (pick,) in picks.items()} == {"rate": 0.2, "size": 16}
    assert all("averaged" not in pick.rule for (pick,) in picks.values())


def test_but_not_by_different_rules(cells) -> None:
    with pytest.raises(StudyError, match="different settings"):
        cells(ZIPPED % ", metric: test_loss")
