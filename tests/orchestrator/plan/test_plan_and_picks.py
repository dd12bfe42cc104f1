"""Plan against the store, picks from results, order of trials."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.plan.expectations import Expectations
from orchestrator.plan.picks import Outcomes, pick_values
from orchestrator.plan.plan import Standing, make_plan
from orchestrator.plan.stacks import order_trials
from orchestrator.study.model import PickRule
from orchestrator.study.text import StudyError
from storage.attempt import PlannedCell
from storage.reporting.selection import METRIC_FACTS
from storage.standing.judgement import Failures, Known, Result

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


def picked(rule, found, curves, diverged=frozenset()):
    return pick_values("main", rule, found, Outcomes(curves, diverged))


def scores(found, values: dict[str, list[float | None]]):
    return {
        c.cell.key: [values[c.axes["learning_rate"]][c.seed]] for c in found if c.cell is not None
    }


def test_the_largest_seed_mean_wins_with_its_runner_up(cells) -> None:
    found = cells(RATES)
    curves = scores(found, {"0.1": [0.5, 0.7], "0.2": [0.9, 0.8], "0.3": [0.99, 0.1]})
    (pick,) = picked(RULE, found, curves)
    assert (pick.value, pick.runner_up, pick.num_seeds) == (0.2, 0.1, 2)
    assert (pick.at_edge, pick.is_tie) == (False, False)
    assert "selected on test data" in pick.rule


def test_ties_go_to_the_first_and_edges_are_flagged(cells) -> None:
    found = cells(RATES)
    curves = scores(found, {"0.1": [0.5, 0.5], "0.2": [0.1, 0.1], "0.3": [0.5, 0.5]})
    (pick,) = picked(RULE, found, curves)
    assert (pick.value, pick.is_tie, pick.at_edge) == (0.1, True, True)


def test_nothing_is_picked_while_a_result_is_missing(cells) -> None:
    found = cells(RATES)
    curves = scores(found, {"0.1": [0.5, 0.5], "0.2": [0.1, 0.1], "0.3": [0.5, 0.5]})
    curves.pop(found[-1].cell.key)
    assert picked(RULE, found, curves) == ()


def test_trials_run_seed_by_seed_and_longest_first(cells) -> None:
    found = [c.cell for c in cells("grid: {loss: [CE], epochs: [1, 3]}\nseeds: 2\n")]
    ordered = order_trials([*found, *found])
    assert [(c.config.seed, c.config.epochs) for c in ordered] == [(0, 3), (0, 1), (1, 3), (1, 1)]


def test_a_bootstrap_over_seeds_says_how_firm_a_pick_is(cells) -> None:
    found = cells(RATES)
    # Another value wins only if the first seed is drawn twice: one draw in four.
    curves = scores(found, {"0.1": [0.5, 0.7], "0.2": [0.9, 0.8], "0.3": [0.99, 0.1]})
    (pick,) = picked(RULE, found, curves)
    assert pick.changed_share == pytest.approx(0.25, abs=0.05)
    assert picked(RULE, found, curves) == (pick,)
    clear = scores(found, {"0.1": [0.5, 0.7], "0.2": [0.9, 0.8], "0.3": [0.2, None]})
    assert picked(RULE, found, clear)[0].changed_share == 0
    single = cells(RATES.replace("seeds: 2", "seeds: 1"))
    (alone,) = picked(RULE, single, scores(single, {"0.1": [1], "0.2": [2], "0.3": [3]}))
    assert alone.changed_share is None


def test_a_loss_is_picked_by_its_smallest_mean_unless_the_study_says_otherwise(cells) -> None:
    found = cells(RATES)
    curves = scores(found, {"0.1": [0.5, 0.7], "0.2": [0.9, 0.8], "0.3": [0.2, 0.1]})
    loss = PickRule(field="learning_rate", metric="test_loss")
    (pick,) = picked(loss, found, curves)
    assert (pick.value, pick.runner_up, pick.score) == (0.3, 0.1, pytest.approx(0.15))
    assert pick.metric == "test_loss"
    assert pick.rule == (
        "smallest mean over seeds of test_loss at the last epoch, selected on test data"
    )
    worst = PickRule(field="learning_rate", metric="test_loss", direction="max")
    (pick,) = picked(worst, found, curves)
    assert pick.value == 0.2
    assert "largest mean" in pick.rule and "against the metric's own direction" in pick.rule


@pytest.mark.parametrize("metric", METRIC_FACTS)
def test_the_direction_of_a_pick_is_that_of_its_metric(metric, cells) -> None:
    found = cells(RATES)
    curves = scores(found, {"0.1": [0.3, 0.3], "0.2": [0.1, 0.1], "0.3": [0.2, 0.2]})
    (pick,) = picked(PickRule(field="learning_rate", metric=metric), found, curves)
    assert pick.value == (0.1 if METRIC_FACTS[metric].higher_is_better else 0.2)
    assert "own direction" not in pick.rule


UNEQUAL = """
grid: {loss: [CE], learning_rate: [0.1, 0.2]}
seeds: 3
skip:
  - {when: {learning_rate: 0.1, seed: 2}, because: no}
  - {when: {learning_rate: 0.2, seed: 0}, because: no}
"""


def test_values_are_compared_on_the_seeds_that_all_share(cells) -> None:
    """On seed 1, the only one that both have, 0.2 is better; its other seed is a hard one."""
    found = cells(UNEQUAL)
    curves = scores(found, {"0.1": [0.95, 0.5, None], "0.2": [None, 0.6, 0.3]})
    (pick,) = picked(RULE, found, curves)
    assert (pick.value, pick.score, pick.runner_up_score) == (0.2, 0.6, 0.5)
    assert (pick.num_seeds, pick.changed_share) == (1, None)
    assert "over the seeds that all values share" in pick.rule


SPANNED = (
    "grid: {loss: [CE], noise.kind: [symmetric], learning_rate: [0.1, 0.2], noise.rate: [0.2, 0.8]}"
    "\n"
)


def test_the_settings_of_a_search_are_averaged_and_no_replicates(cells) -> None:
    found = cells(SPANNED + "seeds: 2\n")
    numbers = {
        ("0.1", "0.2"): [0.9, 0.8],
        ("0.1", "0.8"): [0.3, 0.2],
        ("0.2", "0.2"): [0.8, 0.7],
        ("0.2", "0.8"): [0.2, 0.5],
    }
    curves = {
        c.cell.key: [numbers[c.axes["learning_rate"], c.axes["noise.rate"]][c.seed]] for c in found
    }
    (pick,) = picked(RULE, found, curves)
    # Seed means 0.6, 0.5 against 0.5, 0.6: a tie that each pair of draws but the mixed ones breaks.
    assert (pick.value, pick.num_seeds, pick.is_tie) == (0.1, 2, True)
    assert (pick.score, pick.runner_up_score) == (pytest.approx(0.55), pytest.approx(0.55))
    assert pick.changed_share == pytest.approx(0.25, abs=0.05)
    assert "averaged over noise.rate" in pick.rule
    whole = PickRule(field="learning_rate", by=("loss", "noise.rate"))
    assert {(p.group["noise.rate"], p.num_seeds) for p in picked(whole, found, curves)} == {
        ("0.2", 2),
        ("0.8", 2),
    }


def test_a_seed_without_all_settings_is_no_shared_seed(cells) -> None:
    skip = "skip: [{when: {noise.rate: 0.8, learning_rate: 0.2, seed: 0}, because: no}]\n"
    found = cells(SPANNED + "seeds: 3\n" + skip)
    curves = {c.cell.key: [0.5] for c in found if c.cell}
    (pick,) = picked(RULE, found, curves)
    assert pick.num_seeds == 2
    assert "averaged over noise.rate" in pick.rule and "all values share" in pick.rule


PICKED = "phases:\n  search:\n    pick: {rate: {field: learning_rate, by: [loss]}}\n"


@pytest.mark.parametrize(
    ("search", "message"),
    [
        (
            "    grid: {loss: [CE], learning_rate: [0.1, 0.2]}\n    seeds: 2\n"
            "    skip: [{when: {learning_rate: 0.1, seed: 1}, because: no},"
            " {when: {learning_rate: 0.2, seed: 0}, because: no}]\n",
            r"phases\.search\.pick\.rate: the values of learning_rate for loss=CE share no seed.*"
            r"0\.1 has 0; 0\.2 has 1",
        ),
        (
            "    grid: {loss: [CE]}\n    zip: [{learning_rate: [0.1, 0.2], batch_size: [8, 16]}]\n",
            r"pick\.rate: learning_rate 0\.1 and 0\.2 for loss=CE were tried under different "
            r"settings.*batch_size 8 against 16",
        ),
        (
            "    grid: {loss: [CE], learning_rate: [0.1, 0.2], batch_size: [8, 16]}\n"
            "    skip: [{when: {learning_rate: 0.2, batch_size: 16}, because: no}]\n",
            r"batch_size 8, 16 against 8|batch_size 16, 8 against 8",
        ),
    ],
)
def test_values_that_cannot_be_compared_are_refused_before_anything_runs(
    search, message, cells
) -> None:
    with pytest.raises(StudyError, match=message):
        cells(PICKED + search)


@pytest.mark.parametrize(
    ("pick", "message"),
    [
        (
            "{field: learning_rat}",
            r"rate\.field: no cell has a field 'learning_rat'.*learning_rate",
        ),
        ("{field: learning_rate, by: [los]}", r"rate\.by: no cell has a field 'los'.*loss"),
        ("{field: loss.q, by: [epochs]}", r"rate\.field: some cells of the phase have no field"),
        ("{field: learning_rate, select: mean_of_last}", r"last_k goes with select"),
    ],
)
def test_a_pick_names_fields_that_the_cells_have(pick, message, cells) -> None:
    text = f"phases:\n  search:\n    pick: {{rate: {pick}}}\n    grid: {{loss: [CE, genCE]}}\n"
    with pytest.raises(StudyError, match=message):
        cells(text)


@pytest.mark.parametrize("select", ["best", "mean_of_last", "last"])
def test_a_diverged_run_counts_with_what_it_ended_at(select, cells) -> None:
    found = cells("grid: {loss: [CE], learning_rate: [0.1, 0.2]}\n")
    fast, slow = (entry.cell.key for entry in found)
    curves = {fast: [0.9, 0.1, 0.1], slow: [0.4, 0.5, 0.5]}
    rule = PickRule(
        field="learning_rate", select=select, last_k=3 if select == "mean_of_last" else None
    )
    (pick,) = picked(rule, found, curves, {fast})
    assert (pick.value, pick.runner_up_score) == (0.2, 0.1)
    (loss,) = picked(
        rule.model_copy(update={"metric": "test_loss"}),
        found,
        {fast: [0.1, None, None], slow: [0.4, 0.5, 0.5]},
        {fast},
    )
    assert (loss.value, loss.runner_up_score) == (0.2, float("inf"))
