"""Tables say what they average and what they leave out."""

import math
from collections import defaultdict
from statistics import fmean, stdev

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.reporting.caption import caption
from storage.reporting.evidence import Status, gather
from storage.reporting.spec import TableSpec
from storage.reporting.table import TableError, build_table


def draw(sweep, spec=None, picks=()):
    spec = spec or TableSpec()
    return build_table(
        "accuracy", spec, sweep.planned, gather(sweep, sweep.planned, [spec.value]), picks
    )


def words(table):
    return " ".join(caption(table))


def test_mean_and_sem_over_seeds_in_per_cent(sweep):
    sweep.run("CE", "0", [0.90, 0.92, 0.97])
    entry = draw(sweep).entries[("CE",), ("0",)]
    assert entry.mean == pytest.approx(93.0)
    assert entry.sem == pytest.approx(stdev([90, 92, 97]) / math.sqrt(3))
    assert (entry.n, entry.num_planned, entry.is_complete) == (3, 3, True)


@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    runs=st.lists(
        st.tuples(
            st.sampled_from(["CE", "MAE*", "GCE"]),
            st.sampled_from(["0", "0.4"]),
            st.integers(0, 4),
            st.none() | st.floats(0, 1),
        ),
        unique_by=lambda run: run[:3],
        min_size=1,
    )
)
def test_table_equals_an_independent_computation(sweep, runs):
    sweep.planned.clear(), sweep.results.clear(), sweep.numbers.clear()
    planned, finished = defaultdict(int), defaultdict(list)
    for loss, rate, seed, accuracy in runs:
        key = sweep.plan({"loss": loss, "noise.rate": rate}, seed)
        planned[loss, rate] += 1
        if accuracy is not None:
            sweep.finish(key, [accuracy])
            finished[loss, rate].append(100 * accuracy)
    for ((loss,), (rate,)), entry in draw(sweep).entries.items():
        numbers = finished[loss, rate]
        assert (entry.n, entry.num_planned) == (len(numbers), planned[loss, rate])
        assert entry.mean == (pytest.approx(fmean(numbers)) if numbers else None)
        if len(numbers) > 1:
            expected = stdev(numbers) / math.sqrt(len(numbers))
            assert entry.sem == pytest.approx(expected, abs=1e-9)
        else:
            assert entry.sem is None


def test_rows_and_columns_keep_the_order_of_the_study(sweep):
    for loss in ("MAE", "CE"):
        for rate in ("0.4", "0", "0.2"):
            sweep.run(loss, rate, [0.5])
    table = draw(sweep)
    assert table.rows == (("MAE",), ("CE",))
    assert table.columns == (("0.4",), ("0",), ("0.2",))


def test_a_missing_seed_is_counted_and_not_averaged_away(sweep):
    sweep.run("CE", "0", [0.8, 0.6])
    sweep.plan({"loss": "CE", "noise.rate": "0"}, 2)
    entry = draw(sweep).entries[("CE",), ("0",)]
    assert (entry.n, entry.num_planned) == (2, 3)
    assert entry.count(Status.MISSING) == 1
    assert not entry.is_complete


def test_failed_and_stale_runs_are_counted_apart(sweep):
    sweep.run("CE", "0", [0.8])
    sweep.fail(sweep.plan({"loss": "CE", "noise.rate": "0"}, 1))
    key = sweep.plan({"loss": "CE", "noise.rate": "0"}, 2)
    sweep.others[f"base {key}"] = "{}"
    entry = draw(sweep).entries[("CE",), ("0",)]
    assert (entry.count(Status.FAILED), entry.count(Status.STALE)) == (1, 1)
    assert entry.mean == pytest.approx(80.0)


def test_a_diverged_run_counts_with_its_chance_accuracy(sweep):
    sweep.run("CE", "0", [0.9])
    key = sweep.plan({"loss": "CE", "noise.rate": "0"}, 1)
    sweep.finish(key, [0.5, 0.1], outcome="diverged")
    sweep.guessing.add(key)
    entry = draw(sweep).entries[("CE",), ("0",)]
    assert entry.mean == pytest.approx(50.0)
    assert entry.count(Status.DIVERGED) == 1
    assert entry.num_at_chance == 0  # said once, by its divergence


def test_a_finished_run_at_chance_is_counted(sweep):
    keys = sweep.run("MAE", "0", [0.1, 0.5])
    sweep.guessing.add(keys[0])
    assert draw(sweep).entries[("MAE",), ("0",)].num_at_chance == 1


def test_a_diverged_run_has_no_loss_to_average(sweep):
    sweep.run("CE", "0", [0.9])
    key = sweep.plan({"loss": "CE", "noise.rate": "0"}, 1)
    sweep.finish(key, [2.3, None], outcome="diverged")
    entry = draw(sweep, TableSpec(value="test_loss")).entries[("CE",), ("0",)]
    assert (entry.mean, entry.sem, entry.num_undefined, entry.n) == (None, None, 1, 2)


def test_a_skipped_cell_is_not_planned_and_says_why(sweep):
    sweep.run("CE", "0", [0.9])
    sweep.plan({"loss": "CE", "noise.rate": "0.6"}, 0, skipped="not in the paper")
    entry = draw(sweep).entries[("CE",), ("0.6",)]
    assert (entry.num_planned, entry.skipped) == (0, ("not in the paper",))


def test_a_combination_that_the_study_leaves_open_is_empty(sweep):
    sweep.run("CE", "0", [0.9])
    sweep.run("MAE", "0.4", [0.9])
    entry = draw(sweep).entries[("CE",), ("0.4",)]
    assert (entry.num_planned, entry.skipped, entry.mean) == (0, (), None)


def test_an_axis_that_the_table_hides_is_an_error_that_names_it(sweep):
    for rate in ("0.1", "0.01"):
        axes = {"loss": "CE", "noise.rate": "0", "learning_rate": rate, "dataset": "x"}
        sweep.finish(sweep.plan(axes), [0.5])
    with pytest.raises(
        TableError, match=r"loss=CE, noise\.rate=0 .*learning_rate \(0\.1, 0\.01\);"
    ):
        draw(sweep)
    one = draw(sweep, TableSpec(where={"learning_rate": 0.1}))
    assert one.entries[("CE",), ("0",)].n == 1
    both = draw(sweep, TableSpec(columns=("learning_rate",)))
    assert both.columns == (("0.1",), ("0.01",))


def test_the_same_run_in_two_phases_is_one_run(sweep):
    axes = {"loss": "CE", "noise.rate": "0"}
    key = sweep.plan(axes, phase="search")
    sweep.plan(axes, phase="main", key=key)
    sweep.finish(key, [0.5])
    entry = draw(sweep).entries[("CE",), ("0",)]
    assert (entry.n, entry.num_planned) == (1, 1)


def test_different_runs_of_two_phases_name_the_phase(sweep):
    sweep.plan({"loss": "CE", "noise.rate": "0", "epochs": "1"}, phase="search")
    sweep.plan({"loss": "CE", "noise.rate": "0", "epochs": "9"}, phase="main")
    with pytest.raises(TableError, match=r"phase \(search, main\), epochs \(1, 9\)"):
        draw(sweep)
    assert draw(sweep, TableSpec(phase="main")).entries[("CE",), ("0",)].num_planned == 1


def test_a_filter_that_no_cell_meets_is_an_error(sweep):
    sweep.run("CE", "0", [0.5])
    with pytest.raises(TableError, match="no planned cell"):
        draw(sweep, TableSpec(where={"loss": ("MAE", "GCE")}))


def test_whole_floats_and_lists_filter_as_the_study_writes_them(sweep):
    for rate in ("0", "1", "0.4"):
        sweep.run("CE", rate, [0.5])
    table = draw(sweep, TableSpec(where={"noise.rate": (1.0, 0.4)}))
    assert table.columns == (("1",), ("0.4",))


def test_an_incomplete_entry_neither_wins_nor_ties(sweep):
    sweep.run("CE", "0", [0.5, 0.51, 0.52])
    sweep.run("MAE", "0", [0.4, 0.41, 0.42])
    sweep.run("GCE", "0", [0.9, 0.9])
    sweep.plan({"loss": "GCE", "noise.rate": "0"}, 2)
    table = draw(sweep)
    bold = [row for (row, _), entry in table.entries.items() if entry.is_bold]
    assert bold == [("CE",)]
    assert "Entries without all their seeds take no part" in words(table)


def test_caption_states_metric_split_selection_n_spread_and_rule(sweep):
    sweep.run("CE", "0", [0.5, 0.6, 0.7])
    sweep.run("MAE", "0", [0.5, 0.6, 0.8])
    text = words(draw(sweep, TableSpec(phase="main", where={"noise.rate": 0})))
    for said in (
        *("Top-1 accuracy on the test split in per cent", "at the last epoch", "n = 3"),
        *("ddof = 1", "paired t-test over shared seeds", "Holm", "α = 0.05", "phase main"),
        "noise.rate = 0",
    ):
        assert said in text
    assert "oracle" not in text
    assert "max" not in text


def test_caption_of_one_seed_gives_no_error(sweep):
    sweep.run("CE", "0", [0.5])
    sweep.run("MAE", "0", [0.4])
    text = words(draw(sweep))
    assert "no error can be given" in text
    assert "no test is possible" in text
    assert "SEM" not in text


def test_caption_calls_the_best_test_epoch_an_oracle(sweep):
    sweep.run("CE", "0", [0.5])
    assert "oracle: the epoch is selected on test data" in words(
        draw(sweep, TableSpec(select="best"))
    )


def test_caption_says_when_runs_are_shorter_than_the_average(sweep):
    sweep.run("CE", "0", [0.5])
    table = draw(sweep, TableSpec(select="mean_of_last", last_k=5))
    assert "fewer than 5 epochs" in words(table)


def test_caption_names_a_pick_made_on_test_data(sweep, make_pick):
    for rate in ("0.1", "0.01"):
        axes = {"loss": "CE", "noise.rate": "0", "learning_rate": rate}
        sweep.plan(axes, phase="search")
    sweep.plan({"loss": "CE", "noise.rate": "0.4", "learning_rate": "0.1"}, phase="main")
    text = words(draw(sweep, TableSpec(phase="main"), [make_pick()]))
    assert "learning_rate was picked per loss in phase search" in text
    assert "tuned on test data" in text
    other = words(draw(sweep, TableSpec(phase="main"), [make_pick(value="0.01")]))
    assert "picked" not in other
    searched = TableSpec(phase="search", columns=("learning_rate",))
    assert "picked" not in words(draw(sweep, searched, [make_pick()]))


def test_a_phase_before_the_search_owes_nothing_to_its_pick(sweep, make_pick):
    sweep.plan({"loss": "CE", "noise.rate": "0", "learning_rate": "0.1"}, phase="first")
    sweep.plan({"loss": "CE", "noise.rate": "0", "learning_rate": "1"}, phase="search")
    assert draw(sweep, TableSpec(phase="first"), [make_pick()]).picks == ()


def test_a_pick_on_training_data_is_named_without_the_warning(sweep, make_pick):
    sweep.plan({"loss": "CE", "noise.rate": "0", "learning_rate": "1"}, phase="search")
    sweep.plan({"loss": "CE", "noise.rate": "0.4", "learning_rate": "0.1"}, phase="main")
    pick = make_pick(rule="smallest mean over seeds of train_loss, selected on training data")
    text = words(draw(sweep, TableSpec(phase="main"), [pick]))
    assert "learning_rate was picked" in text
    assert "tuned on test data" not in text


def test_a_cell_without_the_field_stands_under_its_own_header(sweep):
    sweep.run("CE", "0", [0.5])
    sweep.finish(sweep.plan({"loss": "MAE"}), [0.5])
    assert draw(sweep).columns == (("0",), ("(unset)",))


def test_a_cell_that_waits_for_a_pick_is_pending(sweep):
    sweep.plan({"loss": "CE", "noise.rate": "0"}, key=None)
    entry = draw(sweep).entries[("CE",), ("0",)]
    assert (entry.count(Status.PENDING), entry.num_planned, entry.n) == (1, 1, 0)


CONFIG = {
    "learning_rate": 0.1,
    "loss": {"name": "gce", "q": 0.7},
    "noise": {"name": "symmetric", "rate": 0.4},
    "noise_seed": None,
}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"learning_rate": 0.001}, r"learning_rate \(0\.1, 0\.001\);"),
        ({"loss": {"name": "gce", "q": 0.5}}, r"seed: loss\.q \(0\.7, 0\.5\);"),
        ({"loss": {"name": "ce"}}, r"seed: loss \(gce, ce\), loss\.q \(0\.7, unset\);"),
        ({"noise": {"name": "symmetric", "rate": 1.0}}, r"seed: noise\.rate \(0\.4, 1\);"),
        ({"noise": {"name": "human", "rate": 0.4}}, r"noise\.kind \(symmetric, human\);"),
        ({"noise_seed": 3}, r"seed: noise_seed \(null, 3\);"),
    ],
)
def test_an_entry_averages_only_what_differs_in_nothing_but_the_seed(changes, said, sweep):
    """As two phases with seeds 0, 1 and 2, 3 make it: no seed stands twice."""
    for seed, more in enumerate(({}, {}, changes, changes)):
        axes = {"loss": "genCE", "noise.rate": "0.4"}
        sweep.finish(sweep.plan(axes, seed, config={**CONFIG, **more}), [0.5])
    with pytest.raises(TableError, match=rf"loss=genCE, noise\.rate=0\.4 differ in .*{said}"):
        draw(sweep)


def test_two_phases_with_other_settings_and_other_seeds_are_two_entries(sweep):
    for phase, rate, seeds in (("a", 0.1, (0, 1)), ("b", 0.001, (2, 3))):
        for seed in seeds:
            axes = {"loss": "CE", "noise.rate": "0", "learning_rate": str(rate)}
            config = {**CONFIG, "learning_rate": rate}
            sweep.finish(sweep.plan(axes, seed, phase=phase, config=config), [rate])
    with pytest.raises(TableError, match=r"phase \(a, b\), learning_rate \(0\.1, 0\.001\)"):
        draw(sweep)
    assert draw(sweep, TableSpec(phase="a")).entries[("CE",), ("0",)].n == 2
    both = draw(sweep, TableSpec(columns=("learning_rate",)))
    assert {entry.n for entry in both.entries.values()} == {2}


def test_the_same_setting_under_two_labels_or_phases_is_one(sweep):
    """What counts is what runs: the labels and how a default is written do not."""
    for seed, axes in enumerate(({"loss": "CE"}, {"loss": "CE", "weight_decay": "0"})):
        sweep.finish(sweep.plan(axes, seed, phase=f"p{seed}", config=CONFIG), [0.5])
    entry = draw(sweep, TableSpec(columns=())).entries[("CE",), ()]
    assert (entry.n, entry.num_planned) == (2, 2)


def test_a_parameter_called_seed_is_not_the_seed(sweep):
    for seed in (0, 1):
        config = {**CONFIG, "loss": {"name": "mine", "seed": seed}}
        sweep.plan({"loss": "mine", "noise.rate": "0"}, seed, config=config)
    with pytest.raises(TableError, match=r"loss\.seed \(0, 1\)"):
        draw(sweep)
    sweep.planned.clear()
    for seed in (1, 12):
        config = {**CONFIG, "loss": {"name": "mine", "seed": 12}}
        sweep.plan({"loss": "mine", "noise.rate": "0"}, seed, config=config)
    assert draw(sweep).entries[("mine",), ("0",)].num_planned == 2


def test_a_cell_that_waits_for_a_pick_is_compared_by_its_axes(sweep):
    axes = {"loss": "CE", "noise.rate": "0", "learning_rate": "0.1"}
    sweep.plan(axes, 0, config=CONFIG)
    sweep.plan({**axes, "learning_rate": "pending"}, 1, key=None)
    with pytest.raises(TableError, match=r"learning_rate \(0\.1, pending\)"):
        draw(sweep)


def test_a_run_that_one_phase_skips_and_another_asks_for_is_planned(sweep):
    axes = {"loss": "CE", "noise.rate": "0"}
    sweep.plan(axes, phase="first", skipped="too long")
    sweep.finish(sweep.plan(axes, phase="second"), [0.5])
    entry = draw(sweep).entries[("CE",), ("0",)]
    assert (entry.n, entry.num_planned, entry.skipped) == (1, 1, ())


def test_best_forgives_no_divergence(sweep):
    sweep.run("CE", "0", [0.5, 0.5, 0.5])
    for seed in range(3):
        key = sweep.plan({"loss": "MAE", "noise.rate": "0"}, seed)
        sweep.finish(key, [0.9, 0.1, 0.1], outcome="diverged")
    table = draw(sweep, TableSpec(select="best"))
    entry = table.entries[("MAE",), ("0",)]
    assert (entry.mean, entry.is_bold) == (pytest.approx(10.0), False)
    assert table.entries[("CE",), ("0",)].is_bold


@pytest.mark.parametrize("collapse", ["diverged", "finished"])
def test_a_collapsed_entry_is_not_bold_because_it_is_noisy(collapse, sweep):
    sweep.run("CE", "0", [0.741, 0.743, 0.745])
    for seed, accuracy in enumerate((0.80, 0.1, 0.79)):
        key = sweep.plan({"loss": "MAE", "noise.rate": "0"}, seed)
        is_lost = accuracy == 0.1
        sweep.finish(key, [accuracy], outcome=collapse if is_lost else "finished")
        if is_lost:
            sweep.guessing.add(key)
    table = draw(sweep)
    assert [row for (row, _), entry in table.entries.items() if entry.is_bold] == [("CE",)]
    assert "a run that diverged or ended at chance are never bold" in words(table)
    assert "at chance" not in words(draw(sweep, TableSpec(bold="none")))


def test_unequal_seeds_are_compared_on_the_shared_ones_and_the_caption_says_so(sweep):
    """MAE is better on both shared seeds; only its own third seed puts its mean below CE's."""
    for loss, numbers in {
        "CE": {0: 0.5, 1: 0.51, 2: 0.9},
        "MAE": {0: 0.6, 1: 0.61, 3: 0.1},
    }.items():
        for seed, accuracy in numbers.items():
            sweep.finish(sweep.plan({"loss": loss, "noise.rate": "0"}, seed), [accuracy])
    table = draw(sweep)
    assert [row for (row, _), entry in table.entries.items() if entry.is_bold] == [("MAE",)]
    assert table.entries[("MAE",), ("0",)].mean == pytest.approx(131 / 3)
    text = words(table)
    assert "compared on the 2 seeds that all share" in text
    assert "At n = 2" in text
    sweep.run("GCE", "0.4", [0.5, 0.6])
    sweep.run("CE", "0.4", [0.5, 0.6])
    assert "that all share" not in words(draw(sweep, TableSpec(where={"noise.rate": 0.4})))


def test_the_power_words_stand_on_the_seeds_of_the_comparison(sweep):
    """The third loss has two seeds only, so the first two are tested on two as well."""
    for loss, count in {"A": 5, "B": 5, "C": 2}.items():
        sweep.run(loss, "0", [0.5 + 0.01 * seed * (loss != "A") for seed in range(count)])
    assert "At n = 2 and" in words(draw(sweep))


def test_a_pick_on_test_data_is_known_by_its_metric(sweep, make_pick):
    sweep.plan({"loss": "CE", "noise.rate": "0", "learning_rate": "1"}, phase="search")
    sweep.plan({"loss": "CE", "noise.rate": "0.4", "learning_rate": "0.1"}, phase="main")
    spec = TableSpec(phase="main")
    silent = make_pick(metric="test_loss", rule="the smallest one")
    assert "tuned on test data" in words(draw(sweep, spec, [silent]))
    misleading = make_pick(metric="train_loss", rule="the latest and greatest test_loss")
    assert "tuned on test data" not in words(draw(sweep, spec, [misleading]))


@pytest.mark.parametrize(
    ("size", "shown"),
    [(154.0, "154 points"), (99.6, "100 points"), (2.34, "2.3 points"), (0.012, "0.012 points")],
)
def test_a_difference_of_accuracies_is_told_in_points_without_an_exponent(
    sweep, monkeypatch, size, shown
):
    monkeypatch.setattr("storage.reporting.caption.smallest_detectable", lambda *_: size)
    for loss in ("CE", "MAE"):
        sweep.run(loss, "0", [0.5, 0.6])
    assert f"finds a difference of {shown} four times in five" in words(draw(sweep))
