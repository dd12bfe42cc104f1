"""Plan against the store, picks from results, order of trials."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.expectations import Expectations
from orchestrator.packing import order_trials
from orchestrator.phases import pick_values
from orchestrator.plan import Standing, make_plan
from orchestrator.study import PickRule
from storage.attempt import PlannedCell
from storage.standing import Failures, Known, Result

GRID = "grid: {loss: [CE, genCE]}\nseeds: 2\nskip: [{when: {loss: genCE, seed: 1}, because: no}]\n"


def planned(cells) -> tuple[PlannedCell, ...]:
    return Expectations(Path(), frozenset()).planned("demo", cells, Known())


def result_of(cell: PlannedCell, **changes) -> Result:
    values = {
        "key": cell.key,
        "base_key": cell.base_key,
        "attempt": f"{cell.key}-0",
        "edition": 0,
        "outcome": "finished",
        "config": cell.config,
        "revisions": cell.revisions,
        "sources": cell.sources,
        "train_data_sha256": None,
        "test_data_sha256": None,
    }
    return Result(**{**values, **changes})


def test_verdicts_and_reasons(cells) -> None:
    found = cells(GRID)
    ce0, ce1, gce0, gce1 = asked = planned(found)
    known = Known(
        results={ce0.key: (result_of(ce0, outcome="diverged"),)},
        failures={ce1.key: Failures(2, "exception", "boom")},
        revisions={gce0.base_key: '{"loss": 0}'},
    )
    plan = make_plan(found, asked, known)
    assert [verdict.standing for _, verdict in plan.entries] == [
        Standing.DONE,
        Standing.FAILED,
        Standing.STALE,
        Standing.SKIPPED,
    ]
    reasons = [verdict.reason for _, verdict in plan.entries]
    assert reasons[1] == "2 failed attempts: boom"
    assert "loss 0 → 1" in reasons[2]
    assert [c.key for c in plan.to_run("main")] == [ce1.key, gce0.key]
    assert not plan.is_complete
    assert plan.num_done("main") == 1
    assert gce1.key is None


RATES = "grid: {loss: [CE], learning_rate: [0.1, 0.2, 0.3]}\nseeds: 2\n"
RULE = PickRule(field="learning_rate")


def scores(found, values: dict[str, list[float | None]]):
    return {
        c.cell.key: [values[c.axes["learning_rate"]][c.seed]] for c in found if c.cell is not None
    }


def test_the_largest_seed_mean_wins_with_its_runner_up(cells) -> None:
    found = cells(RATES)
    curves = scores(found, {"0.1": [0.5, 0.7], "0.2": [0.9, 0.8], "0.3": [0.99, 0.1]})
    (pick,) = pick_values("main", RULE, found, curves)
    assert (pick.value, pick.runner_up, pick.num_seeds) == (0.2, 0.1, 2)
    assert (pick.at_edge, pick.is_tie) == (False, False)
    assert "selected on test data" in pick.rule


def test_ties_go_to_the_first_and_edges_are_flagged(cells) -> None:
    found = cells(RATES)
    curves = scores(found, {"0.1": [0.5, 0.5], "0.2": [0.1, 0.1], "0.3": [0.5, 0.5]})
    (pick,) = pick_values("main", RULE, found, curves)
    assert (pick.value, pick.is_tie, pick.at_edge) == (0.1, True, True)


def test_nothing_is_picked_while_a_result_is_missing(cells) -> None:
    found = cells(RATES)
    curves = scores(found, {"0.1": [0.5, 0.5], "0.2": [0.1, 0.1], "0.3": [0.5, 0.5]})
    curves.pop(found[-1].cell.key)
    assert pick_values("main", RULE, found, curves) == ()


def test_trials_run_seed_by_seed_and_longest_first(cells) -> None:
    found = [c.cell for c in cells("grid: {loss: [CE], epochs: [1, 3]}\nseeds: 2\n")]
    ordered = order_trials([*found, *found])
    assert [(c.config.seed, c.config.epochs) for c in ordered] == [(0, 3), (0, 1), (1, 3), (1, 1)]


def test_a_bootstrap_over_seeds_says_how_firm_a_pick_is(cells) -> None:
    found = cells(RATES)
    # Another value wins only if the first seed is drawn twice: one draw in four.
    curves = scores(found, {"0.1": [0.5, 0.7], "0.2": [0.9, 0.8], "0.3": [0.99, 0.1]})
    (pick,) = pick_values("main", RULE, found, curves)
    assert pick.changed_share == pytest.approx(0.25, abs=0.05)
    assert pick_values("main", RULE, found, curves) == (pick,)
    clear = scores(found, {"0.1": [0.5, 0.7], "0.2": [0.9, 0.8], "0.3": [0.2, None]})
    assert pick_values("main", RULE, found, clear)[0].changed_share == 0
    single = cells(RATES.replace("seeds: 2", "seeds: 1"))
    (alone,) = pick_values(
        "main", RULE, single, scores(single, {"0.1": [1], "0.2": [2], "0.3": [3]})
    )
    assert alone.changed_share is None
