"""Ranks over settings: who wins, how firmly, and when there is nothing to rank."""

import random

import pytest

from storage.reporting.figures import heat_map, ranks
from storage.reporting.ranks import rank_rows
from storage.reporting.report import build_report
from storage.reporting.spec import TableSpec

NOISE = ("0", "0.2", "0.4")


def table_of(sweep, tmp_path, **spec):
    sweep.tables = {"accuracy": TableSpec(**spec)}
    (table,) = build_report(sweep, "sweep", tmp_path).tables
    return table


def fill(sweep, accuracies, seeds=4):
    draws = random.Random(1)
    for noise in NOISE:
        for loss, level in accuracies.items():
            sweep.run(loss, noise, [level + draws.uniform(-0.01, 0.01) for _ in range(seeds)])


def test_a_clear_order_is_firm(sweep, tmp_path):
    fill(sweep, {"CE": 0.5, "MAE": 0.7, "genCE": 0.9})
    ranking = rank_rows(table_of(sweep, tmp_path))
    assert [(rank.header, rank.mean, rank.num_wins) for rank in ranking.ranks] == [
        (("genCE",), 1, 3),
        (("MAE",), 2, 0),
        (("CE",), 3, 0),
    ]
    assert all(rank.interval == (rank.mean, rank.mean) for rank in ranking.ranks)
    assert (ranking.num_settings, ranking.num_left_out, ranking.num_seeds) == (3, 0, (4,))


def test_a_close_race_is_not(sweep, tmp_path):
    fill(sweep, {"CE": 0.5, "MAE": 0.8, "genCE": 0.8})
    best, second, last = rank_rows(table_of(sweep, tmp_path)).ranks
    assert best.interval[1] > best.interval[0]
    assert second.interval[0] < second.interval[1]
    assert last.header == ("CE",) and last.interval == (3, 3)


def test_equal_means_share_their_ranks(sweep, tmp_path):
    for noise in NOISE:
        for loss, level in {"CE": 0.5, "MAE": 0.8, "genCE": 0.8}.items():
            sweep.run(loss, noise, [level, level])
    ranking = rank_rows(table_of(sweep, tmp_path))
    assert sorted((r.header[0], r.mean, r.num_wins) for r in ranking.ranks) == [
        ("CE", 3, 0),
        ("MAE", 1.5, 3),
        ("genCE", 1.5, 3),
    ]


def test_settings_with_missing_numbers_are_left_out(sweep, tmp_path):
    fill(sweep, {"CE": 0.5, "MAE": 0.7, "genCE": 0.9})
    for loss in ("CE", "MAE"):
        sweep.run(loss, "0.6", [0.1] * 4)
    sweep.plan({"loss": "genCE", "noise.rate": "0.6"}, 0)
    ranking = rank_rows(table_of(sweep, tmp_path))
    assert (ranking.num_settings, ranking.num_left_out) == (3, 1)


def test_one_seed_has_no_interval(sweep, tmp_path):
    fill(sweep, {"CE": 0.5, "MAE": 0.7, "genCE": 0.9}, seeds=1)
    assert all(rank.interval is None for rank in rank_rows(table_of(sweep, tmp_path)).ranks)


@pytest.mark.parametrize("bold", ["none", "paired"])
def test_small_tables_and_tables_that_compare_nothing_have_none(sweep, tmp_path, bold):
    fill(sweep, {"CE": 0.5, "MAE": 0.7, **({"genCE": 0.9} if bold == "none" else {})})
    assert rank_rows(table_of(sweep, tmp_path, bold=bold)) is None


def test_the_figure_has_the_best_on_top_with_its_interval(sweep, tmp_path):
    fill(sweep, {"CE": 0.5, "MAE": 0.8, "genCE": 0.8})
    ranking = rank_rows(table_of(sweep, tmp_path))
    (trace,) = ranks.figure(ranking).data
    best = ranking.ranks[0]
    assert (trace.y[-1], trace.x[-1]) == (best.header[0], best.mean)
    assert trace.x[-1] + trace.error_x.array[-1] == pytest.approx(best.interval[1])


def test_a_heat_map_shows_every_mean(sweep, tmp_path):
    fill(sweep, {"CE": 0.5, "MAE": 0.7, "genCE": 0.9})
    table = table_of(sweep, tmp_path)
    assert heat_map.is_worth_drawing(table)
    (trace,) = heat_map.figure(table).data
    assert trace.y == ("genCE", "MAE", "CE")
    assert trace.z[2][0] == table.entries[("CE",), ("0",)].mean


def fill_seeds(sweep, seeds, draws):
    """(loss, noise) → seeds, each with a number of its own."""
    for (loss, noise), members in seeds.items():
        for seed in members:
            key = sweep.plan({"loss": loss, "noise.rate": noise}, seed)
            sweep.finish(key, [draws.random()])


def test_ranks_and_intervals_stand_on_the_same_seeds(sweep, tmp_path):
    """On the shared seeds CE is always last; its seeds 2 and 3 alone would make it the first."""
    levels = {"CE": [0.1, 0.1, 0.9, 0.9], "MAE": [0.2, 0.2], "genCE": [0.3, 0.3]}
    for noise in NOISE:
        for loss, accuracies in levels.items():
            sweep.run(loss, noise, accuracies)
    ranking = rank_rows(table_of(sweep, tmp_path))
    assert [(r.header[0], r.mean, r.interval, r.num_wins) for r in ranking.ranks] == [
        ("genCE", 1, (1, 1), 3),
        ("MAE", 2, (2, 2), 0),
        ("CE", 3, (3, 3), 0),
    ]
    assert (ranking.num_seeds, ranking.has_unequal_seeds) == ((2,), True)


@pytest.mark.parametrize("case", range(12))
def test_a_mean_rank_lies_in_its_interval_whatever_the_seeds(case, sweep, tmp_path):
    draws = random.Random(case)
    losses = ("A", "B", "C", "D")
    extra = {(loss, noise): draws.sample(range(2, 6), 2) for loss in losses for noise in NOISE}
    fill_seeds(sweep, {place: [0, 1, *more] for place, more in extra.items()}, draws)
    table = table_of(sweep, tmp_path)
    expected = dict.fromkeys(losses, 0.0)
    for noise in NOISE:
        numbers = {loss: table.entries[(loss,), (noise,)].numbers for loss in losses}
        shared = set.intersection(*map(set, numbers.values()))
        sums = {loss: sum(numbers[loss][seed] for seed in shared) for loss in losses}
        for loss in losses:
            better = sum(other > sums[loss] for other in sums.values())
            expected[loss] += (1 + better) / len(NOISE)
    for rank in rank_rows(table).ranks:
        assert rank.mean == pytest.approx(expected[rank.header[0]])
        low, high = rank.interval
        assert low <= rank.mean <= high


def test_settings_with_other_seeds_draw_their_own(sweep, tmp_path):
    seeds = {(loss, noise): [0, 1, 2] for loss in ("A", "B", "C") for noise in NOISE}
    seeds |= {(loss, "0.4"): [7, 8] for loss in ("A", "B", "C")}
    fill_seeds(sweep, seeds, random.Random(3))
    ranking = rank_rows(table_of(sweep, tmp_path))
    assert (ranking.num_seeds, ranking.has_unequal_seeds) == ((2, 3), False)
    assert all(rank.interval for rank in ranking.ranks)


def test_a_setting_without_a_shared_seed_is_left_out(sweep, tmp_path):
    fill(sweep, {"CE": 0.5, "MAE": 0.7, "genCE": 0.9})
    seeds = {("CE", "0.6"): [0, 1], ("MAE", "0.6"): [0, 1], ("genCE", "0.6"): [2, 3]}
    fill_seeds(sweep, seeds, random.Random(0))
    ranking = rank_rows(table_of(sweep, tmp_path))
    assert (ranking.num_settings, ranking.num_left_out) == (3, 1)


def test_a_tie_on_the_whole_sample_is_a_tie_in_every_draw_of_all_seeds(sweep, tmp_path):
    """0.1 + 0.2 + 0.3 is 0.6 in any order, if it is summed exactly."""
    for noise in NOISE:
        for loss, numbers in {"A": [0.1, 0.2, 0.3], "B": [0.3, 0.2, 0.1], "C": [0, 0, 0]}.items():
            sweep.run(loss, noise, numbers)
    table = table_of(sweep, tmp_path, value="test_loss")
    ranks_of = {rank.header[0]: rank.mean for rank in rank_rows(table).ranks}
    assert ranks_of == {"A": 2.5, "B": 2.5, "C": 1}


def test_an_interval_holds_the_mean_rank_that_hardly_any_draw_gives(sweep, tmp_path):
    """First by a hair before ten rows that each beat it in about half of the draws."""
    draws = random.Random(0)
    for noise in NOISE:
        sweep.run("hair", noise, [0.5] * 8)
        for number in range(10):
            values = [draws.uniform(-0.2, 0.2) for _ in range(8)]
            centre = 0.4999 - sum(values) / 8
            sweep.run(f"noisy {number}", noise, [centre + value for value in values])
    first = rank_rows(table_of(sweep, tmp_path)).ranks[0]
    assert (first.header, first.mean) == (("hair",), 1)
    assert first.interval[0] == 1 and first.interval[1] > 3
