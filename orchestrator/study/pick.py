"""A recorded choice between phases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Pick:
    """The winner of one group.

    Args:
        group: the fields that its cells share.
        field: the field picked.
        value: the winning value, as the study writes it.
        score: its mean over seeds.
        runner_up, runner_up_score: second best, None if there is no second value.
        num_seeds: seeds behind each mean, those that all values share.
        is_tie: the runner-up has the same score; the one that stands first in the grid won.
        at_edge: the winner is the smallest or the largest of the values tried.
        changed_share: share of bootstrap samples of the seeds in which another value wins.
        rule: the selection in words.
        metric: the metric compared.
    """

    group: Mapping[str, str]
    field: str
    value: Any
    score: float
    runner_up: Any
    runner_up_score: float | None
    num_seeds: int
    is_tie: bool
    at_edge: bool
    changed_share: float | None
    rule: str
    metric: str
