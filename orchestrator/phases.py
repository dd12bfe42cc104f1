"""Results of a phase → picks: which value won, by which rule, how clearly.

A pick is made only when every cell of its group has a result; a diverged run counts with its chance
accuracy. Values in, values out.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from statistics import fmean
from typing import Any

from orchestrator.cell import StudyCell
from orchestrator.study import PickRule

BOOTSTRAP_SAMPLES = 1000

Curves = Mapping[str, Sequence[float | None]]
"""Cell key → per-epoch values of the rule's metric, for cells that have a result."""


@dataclass(frozen=True)
class Pick:
    """The winner of one group.

    Args:
        group: the fields that its cells share.
        field: the field picked.
        value: the winning value, as the study writes it.
        score: its mean over seeds.
        runner_up, runner_up_score: second best, None if there is no second value.
        num_seeds: seeds behind each mean.
        is_tie: the runner-up has the same score; the one that stands first in the grid won.
        at_edge: the winner is the smallest or the largest of the values tried.
        changed_share: share of bootstrap samples of the seeds in which another value wins.
        rule: the selection in words.
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


def pick_values(
    phase: str, rule: PickRule, cells: Sequence[StudyCell], curves: Curves
) -> tuple[Pick, ...]:
    """One pick for each group of `phase` that is complete; incomplete groups are left out."""
    groups: dict[tuple[str, ...], list[StudyCell]] = {}
    for cell in cells:
        if cell.phase == phase and cell.skipped is None:
            key = tuple(cell.axes.get(field, "") for field in rule.by)
            groups.setdefault(key, []).append(cell)
    complete = {
        key: members
        for key, members in groups.items()
        if all(member.cell and member.cell.key in curves for member in members)
    }
    return tuple(
        _pick(dict(zip(rule.by, key, strict=True)), members, rule, curves)
        for key, members in complete.items()
    )


def figure(curve: Sequence[float | None], rule: PickRule) -> float:
    """One number of a curve; an epoch without a finite value is the worst there can be."""
    worst = float("-inf") if rule.direction == "max" else float("inf")
    values = [worst if value is None else value for value in curve]
    if rule.select == "best":
        return max(values) if rule.direction == "max" else min(values)
    return fmean(values[-(rule.last_k or 1) :])


def rule_in_words(rule: PickRule) -> str:
    """Metric, split, epoch and direction."""
    split = "test" if rule.metric.startswith("test") else "training"
    epoch = {
        "last": "last epoch",
        "best": "best epoch",
        "mean_of_last": f"last {rule.last_k} epochs",
    }
    largest = "largest" if rule.direction == "max" else "smallest"
    return (
        f"{largest} mean over seeds of {rule.metric} at the {epoch[rule.select]}, "
        f"selected on {split} data"
    )


def _pick(
    group: dict[str, str], members: Sequence[StudyCell], rule: PickRule, curves: Curves
) -> Pick:
    scores: dict[str, list[float]] = {}
    raw: dict[str, Any] = {}
    for member in members:
        assert member.cell is not None
        shown = member.axes[rule.field]
        raw.setdefault(shown, _raw_value(member.fields, rule.field))
        scores.setdefault(shown, []).append(figure(curves[member.cell.key], rule))
    sign = 1 if rule.direction == "max" else -1
    # A stable sort leaves equal scores in the order of the grid.
    ranked = sorted(scores, key=lambda shown: -sign * fmean(scores[shown]))
    means = {shown: fmean(values) for shown, values in scores.items()}
    winner, second = ranked[0], ranked[1] if len(ranked) > 1 else None
    return Pick(
        group=group,
        field=rule.field,
        value=raw[winner],
        score=means[winner],
        runner_up=raw[second] if second else None,
        runner_up_score=means[second] if second else None,
        num_seeds=len(scores[winner]),
        is_tie=second is not None and means[second] == means[winner],
        at_edge=_at_edge(raw[winner], list(raw.values())),
        changed_share=_changed_share(winner, scores, sign),
        rule=rule_in_words(rule),
    )


def _changed_share(winner: str, scores: Mapping[str, Sequence[float]], sign: int) -> float | None:
    """How often another value wins if the seeds are drawn anew, the same for all values.

    None with a single seed, or where values have different seeds.
    """
    counts = {len(values) for values in scores.values()}
    if len(counts) > 1 or counts == {1}:
        return None
    (count,) = counts
    draws = random.Random(0)
    changed = 0
    for _ in range(BOOTSTRAP_SAMPLES):
        chosen = draws.choices(range(count), k=count)
        sums = {shown: sign * fsum(values[i] for i in chosen) for shown, values in scores.items()}
        changed += max(sums.values()) > sums[winner]
    return changed / BOOTSTRAP_SAMPLES


def _raw_value(fields: Mapping[str, Any], dotted_field: str) -> Any:
    value: Any = fields
    for step in dotted_field.split("."):
        value = value[step]
    return value


def _at_edge(value: Any, tried: list[Any]) -> bool:
    numeric = all(isinstance(item, int | float) for item in tried)
    return numeric and len(tried) > 1 and value in (min(tried), max(tried))
