"""Results of a phase → picks: which value won, by which rule, how clearly.

A pick is made only when every cell of its group has a result; a diverged run counts with its chance
accuracy. Values in, values out.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from statistics import fmean
from typing import Any

from orchestrator.study.candidates import Candidates, find_candidates, groups_of
from orchestrator.study.cell import StudyCell
from orchestrator.study.model import PickRule
from orchestrator.study.pick import Pick
from storage.reporting.selection import METRIC_FACTS, Curve, countable

BOOTSTRAP_SAMPLES = 1000


@dataclass(frozen=True)
class Outcomes:
    """Results of the cells of a phase.

    Args:
        curves: cell key → per-epoch values of the rule's metric, for cells that have a result.
        diverged: keys of those that diverged.
    """

    curves: Mapping[str, Curve]
    diverged: Collection[str] = frozenset()

    def figure(self, key: str, rule: PickRule) -> float:
        """One number of a run; an epoch without a finite value is the worst there can be."""
        worst = float("-inf") if rule.largest_wins else float("inf")
        curve = countable(self.curves[key], is_diverged=key in self.diverged)
        values = [worst if value is None else value for value in curve]
        if rule.select == "best":
            return max(values) if rule.largest_wins else min(values)
        return fmean(values[-(rule.last_k or 1) :])


def pick_values(
    phase: str,
    rule: PickRule,
    cells: Sequence[StudyCell],
    outcomes: Outcomes,
    companions: Collection[str] = (),
) -> tuple[Pick, ...]:
    """One pick for each group of `phase` that is complete; incomplete groups are left out.

    Raises PickError, of which a study that was expanded is free.

    Args:
        companions: fields picked by the same rule (`Phase.companions`).
    """
    complete = {
        key: members
        for key, members in groups_of(phase, rule, cells).items()
        if all(member.cell and member.cell.key in outcomes.curves for member in members)
    }
    return tuple(
        _pick(find_candidates(rule, key, members, companions), rule, outcomes)
        for key, members in complete.items()
    )


def rule_in_words(
    rule: PickRule, spanned: Sequence[str] = (), *, has_unequal_seeds: bool = False
) -> str:
    """Metric, split, epoch, direction, and what the mean is taken over."""
    facts = METRIC_FACTS[rule.metric]
    epoch = {
        "last": "last epoch",
        "best": "best epoch",
        "mean_of_last": f"last {rule.last_k} epochs",
    }
    seeds = "the seeds that all values share" if has_unequal_seeds else "seeds"
    is_contrary = rule.largest_wins != facts.higher_is_better
    parts = [
        f"{'largest' if rule.largest_wins else 'smallest'} mean over {seeds} of {rule.metric} "
        f"at the {epoch[rule.select]}",
        *([f"averaged over {', '.join(spanned)}"] if spanned else []),
        *(["against the metric's own direction"] if is_contrary else []),
        f"selected on {'test' if facts.is_test else 'training'} data",
    ]
    return ", ".join(parts)


def _pick(found: Candidates, rule: PickRule, outcomes: Outcomes) -> Pick:
    scores = {
        shown: [_seed_score(cells, rule, outcomes) for cells in seeds]
        for shown, seeds in found.cells.items()
    }
    sign = 1 if rule.largest_wins else -1
    means = {shown: fmean(values) for shown, values in scores.items()}
    # A stable sort leaves equal scores in the order of the grid.
    ranked = sorted(means, key=lambda shown: -sign * means[shown])
    winner, second = ranked[0], ranked[1] if len(ranked) > 1 else None
    return Pick(
        group=found.group,
        field=rule.field,
        value=found.values[winner],
        score=means[winner],
        runner_up=found.values[second] if second else None,
        runner_up_score=means[second] if second else None,
        num_seeds=len(scores[winner]),
        is_tie=second is not None and means[second] == means[winner],
        at_edge=_at_edge(found.values[winner], list(found.values.values())),
        changed_share=_changed_share(winner, scores, sign),
        rule=rule_in_words(rule, found.spanned, has_unequal_seeds=found.has_unequal_seeds),
        metric=rule.metric,
    )


def _seed_score(cells: Sequence[StudyCell], rule: PickRule, outcomes: Outcomes) -> float:
    """Mean over the settings of one seed, which are no replicates of each other."""
    return fmean(outcomes.figure(entry.cell.key, rule) for entry in cells if entry.cell)


def _changed_share(winner: str, scores: Mapping[str, Sequence[float]], sign: int) -> float | None:
    """How often another value wins if the seeds are drawn anew, the same for all values.

    None with a single seed.
    """
    count = len(scores[winner])
    if count == 1:
        return None
    draws = random.Random(0)
    changed = 0
    for _ in range(BOOTSTRAP_SAMPLES):
        chosen = draws.choices(range(count), k=count)
        sums = {shown: sign * fsum(values[i] for i in chosen) for shown, values in scores.items()}
        changed += max(sums.values()) > sums[winner]
    return changed / BOOTSTRAP_SAMPLES


def _at_edge(value: Any, tried: list[Any]) -> bool:
    numeric = all(isinstance(item, int | float) for item in tried)
    return numeric and len(tried) > 1 and value in (min(tried), max(tried))
