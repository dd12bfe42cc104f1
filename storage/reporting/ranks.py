"""Who wins over all settings of a table: mean rank and wins per row, with bootstrap intervals.

A setting is a column in which every row has all its seeds and a defined mean. Values in, values
out.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

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
        interval: 95 % percentile interval of it over bootstrap samples of the seeds; None with
            fewer than two seeds that all entries share.
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
        num_seeds: seeds that every entry shares, drawn anew in the bootstrap.
    """

    ranks: tuple[Rank, ...]
    num_settings: int
    num_left_out: int
    num_seeds: int


def rank_rows(table: Table) -> Ranking | None:
    """The ranking of a table that compares its rows; None if it is too small or does not."""
    columns = [c for c in table.columns if all(_counts(table.entries[r, c]) for r in table.rows)]
    too_small = len(table.rows) < LEAST_ROWS or len(columns) < LEAST_SETTINGS
    if table.spec.bold == "none" or too_small:
        return None
    entries = [[table.entries[row, column].numbers for row in table.rows] for column in columns]
    sign = 1 if table.facts.higher_is_better else -1
    whole = [[sign * fmean(numbers.values()) for numbers in column] for column in entries]
    means = _mean_ranks(whole)
    seeds = sorted(set.intersection(*(set(n) for column in entries for n in column)))
    intervals = _intervals(entries, seeds, sign)
    found = [
        Rank(row, means[i], intervals[i] if intervals else None, _wins(whole, i))
        for i, row in enumerate(table.rows)
    ]
    found.sort(key=lambda rank: rank.mean)
    return Ranking(tuple(found), len(columns), len(table.columns) - len(columns), len(seeds))


def _counts(entry: Entry) -> bool:
    return entry.is_complete and entry.mean is not None


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
    entries: Sequence[Sequence[Mapping[int, float]]], seeds: Sequence[int], sign: int
) -> list[tuple[float, float]] | None:
    """Percentile intervals; the same seeds are drawn for all entries, which keeps them paired."""
    if len(seeds) < 2:
        return None
    draws = random.Random(0)
    samples = []
    for _ in range(SAMPLES):
        chosen = draws.choices(seeds, k=len(seeds))
        samples.append(
            _mean_ranks(
                [[sign * sum(n[seed] for seed in chosen) for n in column] for column in entries]
            )
        )
    tail = round(SAMPLES * (1 - LEVEL) / 2)
    ordered = [sorted(row) for row in zip(*samples, strict=True)]
    return [(row[tail], row[-1 - tail]) for row in ordered]
