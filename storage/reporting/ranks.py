"""Who wins over all settings of a table: mean rank and wins per row, with bootstrap intervals.

A setting is a column in which every row has all its seeds and a defined mean, and some seed is
shared by all of them. Ranks, wins and intervals stand on the shared seeds. Values in, values out.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import fsum
from statistics import fmean

from storage.reporting.statistics import shared_seeds
from storage.reporting.table import Entry, Header, Table

SAMPLES = 1000
LEVEL = 0.95
LEAST_ROWS, LEAST_SETTINGS = 3, 3
"""Below that the table itself says as much."""


@dataclass(frozen=True)
class Rank:
    """Standing of one row.

    Args:
        header: of the row.
        mean: mean rank over the settings, 1 for the best; equal means share their ranks.
        interval: 95 % percentile interval of it over bootstrap samples of the seeds, with the mean
            rank itself inside; None where a setting has fewer than two shared seeds.
        num_wins: settings in which no row has a better mean.
    """

    header: Header
    mean: float
    interval: tuple[float, float] | None
    num_wins: int


@dataclass(frozen=True)
class Ranking:
    """Rows from the best mean rank to the worst.

    Args:
        num_settings: columns that took part.
        num_left_out: columns that did not, because a row lacks a number there.
        num_seeds: seeds that the entries of a setting share, drawn anew in the bootstrap; several
            numbers where settings differ in it.
        has_unequal_seeds: whether some entry has seeds beyond the shared ones.
    """

    ranks: tuple[Rank, ...]
    num_settings: int
    num_left_out: int
    num_seeds: tuple[int, ...]
    has_unequal_seeds: bool


@dataclass(frozen=True)
class _Setting:
    """One column: for each row its scores (larger is better) at the shared seeds."""

    seeds: tuple[int, ...]
    scores: tuple[tuple[float, ...], ...]

    @cached_property
    def whole(self) -> list[float]:
        """Row → sum of its scores."""
        return self.drawn(range(len(self.seeds)))

    def drawn(self, places: Sequence[int]) -> list[float]:
        """Row → sum over a draw of the seeds, by their places. Exact, so that equal stay equal."""
        return [fsum(row[place] for place in places) for row in self.scores]


def rank_rows(table: Table) -> Ranking | None:
    """The ranking of a table that compares its rows; None if it is too small or does not."""
    columns = [c for c in table.columns if all(_counts(table.entries[r, c]) for r in table.rows)]
    settings = [s for column in columns if (s := _setting(table, column)).seeds]
    too_small = len(table.rows) < LEAST_ROWS or len(settings) < LEAST_SETTINGS
    if table.spec.bold == "none" or too_small:
        return None
    whole = [setting.whole for setting in settings]
    means = _mean_ranks(whole)
    intervals = _intervals(settings, means)
    found = [
        Rank(row, means[i], intervals[i] if intervals else None, _wins(whole, i))
        for i, row in enumerate(table.rows)
    ]
    found.sort(key=lambda rank: rank.mean)
    return Ranking(
        tuple(found),
        num_settings=len(settings),
        num_left_out=len(table.columns) - len(settings),
        num_seeds=tuple(sorted({len(setting.seeds) for setting in settings})),
        has_unequal_seeds=any(_is_unequal(table, column) for column in columns),
    )


def _counts(entry: Entry) -> bool:
    return entry.is_complete and entry.mean is not None


def _setting(table: Table, column: Header) -> _Setting:
    numbers = [table.entries[row, column].numbers for row in table.rows]
    seeds = shared_seeds(numbers)
    sign = 1 if table.facts.higher_is_better else -1
    return _Setting(seeds, tuple(tuple(sign * n[seed] for seed in seeds) for n in numbers))


def _is_unequal(table: Table, column: Header) -> bool:
    return len({frozenset(table.entries[row, column].numbers) for row in table.rows}) > 1


def _wins(columns: Sequence[Sequence[float]], row: int) -> int:
    return sum(column[row] == max(column) for column in columns)


def _mean_ranks(columns: Sequence[Sequence[float]]) -> list[float]:
    """Column → row → score (larger is better) to the mean rank of each row."""
    ranked = [_ranks(column) for column in columns]
    return [fmean(ranks) for ranks in zip(*ranked, strict=True)]


def _ranks(scores: Sequence[float]) -> list[float]:
    """1 for the largest; equal scores share the mean of their ranks."""
    return [
        sum(other > score for other in scores) + (1 + sum(other == score for other in scores)) / 2
        for score in scores
    ]


def _intervals(
    settings: Sequence[_Setting], means: Sequence[float]
) -> list[tuple[float, float]] | None:
    """Percentile intervals, widened where they would leave out the mean rank itself.

    The same seeds are drawn for all entries of a setting and for all settings with the same seeds,
    which keeps them paired.
    """
    distinct = dict.fromkeys(setting.seeds for setting in settings)
    if any(len(seeds) < 2 for seeds in distinct):
        return None
    draws = random.Random(0)
    samples = []
    for _ in range(SAMPLES):
        places = {seeds: draws.choices(range(len(seeds)), k=len(seeds)) for seeds in distinct}
        samples.append(_mean_ranks([setting.drawn(places[setting.seeds]) for setting in settings]))
    tail = round(SAMPLES * (1 - LEVEL) / 2)
    ordered = [sorted(row) for row in zip(*samples, strict=True)]
    return [
        (min(row[tail], mean), max(row[-1 - tail], mean))
        for row, mean in zip(ordered, means, strict=True)
    ]
