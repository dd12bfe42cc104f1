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
    assert (ranking.num_settings, ranking.num_left_out, ranking.num_seeds) == (3, 0, 4)


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
