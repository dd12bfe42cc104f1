"""A phase against the store → its picks, and the rows that the store keeps of them."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.opened import decide
from orchestrator.recording import pick_records
from orchestrator.source import StudyError
from orchestrator.study import Phase, PickRule

RATES = "grid: {loss: [CE], learning_rate: [0.1, 0.2]}\n"


@dataclass(frozen=True)
class FakeStore:
    """Answers for a few results: key → outcome and curve."""

    results: dict[str, tuple[str, list[float | None]]]

    def states(self) -> list[Any]:
        return [SimpleNamespace(key=key, outcome=o) for key, (o, _) in self.results.items()]

    def curves(self, keys: list[str], metric: str) -> dict[str, list[float | None]]:
        return {key: self.results[key][1] for key in keys if key in self.results}


def test_a_diverged_run_is_no_winner_by_its_best_epoch(opened, cells) -> None:
    study, _ = opened(RATES)
    found = cells(RATES)
    fast, slow = (entry.cell.key for entry in found)
    store = FakeStore({fast: ("diverged", [0.9, 0.1]), slow: ("finished", [0.4, 0.5])})
    phase = Phase(pick={"rate": PickRule(field="learning_rate", select="best")})
    picks = decide("main", phase, found, store)
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
    picks = decide("search", study.stages["search"], found, store)
    assert {name: pick.value for (_, name), (pick,) in picks.items()} == {"rate": 0.2, "size": 16}
    assert all("averaged" not in pick.rule for (pick,) in picks.values())


def test_but_not_by_different_rules(cells) -> None:
    with pytest.raises(StudyError, match="different settings"):
        cells(ZIPPED % ", metric: test_loss")
