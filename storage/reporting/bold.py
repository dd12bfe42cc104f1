"""Which entries of a column are set in bold. Knows groups of numbers, no tables."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Generic, Literal, TypeVar

from storage.reporting.statistics import PairedTest, holm, paired_t_test

Rule = Literal["paired", "max", "none"]
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Group(Generic[Key]):
    """Competitors: key → seed → number, and which direction wins."""

    numbers: Mapping[Key, Mapping[int, float]]
    higher_is_better: bool

    def best(self) -> list[Key]:
        """Keys with the best mean; several only if their means are equal."""
        if not self.numbers:
            return []
        sign = 1 if self.higher_is_better else -1
        scores = {key: sign * fmean(seeds.values()) for key, seeds in self.numbers.items()}
        top = max(scores.values())
        return [key for key, score in scores.items() if score == top]


@dataclass(frozen=True)
class BoldVerdict(Generic[Key]):
    """Bold keys. `is_untested`: some competitor shared fewer than two seeds with the best."""

    keys: frozenset[Key]
    is_untested: bool = False


def bold_keys(group: Group[Key], rule: Rule, alpha: float) -> BoldVerdict[Key]:
    """Apply a bold rule to one group.

    `paired` marks the best mean and every other that the two-sided paired t-test over shared seeds
    does not tell from it at family-wise level `alpha`, Holm-corrected over the competitors. Where
    there is nothing to test, only the best is marked: too few seeds are no evidence of a tie.
    A lone competitor wins nothing.
    """
    best = group.best()
    if rule == "none" or len(group.numbers) < 2:
        return BoldVerdict(frozenset())
    if rule == "max":
        return BoldVerdict(frozenset(best))
    leader = best[0]
    others = [key for key in group.numbers if key != leader]
    tests = {key: paired_t_test(group.numbers[leader], group.numbers[key]) for key in others}
    tied = _not_distinguished(tests, alpha)
    return BoldVerdict(frozenset(best) | tied, any(test is None for test in tests.values()))


def _not_distinguished(tests: Mapping[Key, PairedTest | None], alpha: float) -> frozenset[Key]:
    p_values = {key: test.p_value for key, test in tests.items() if test is not None}
    adjusted = holm(list(p_values.values()))
    return frozenset(key for key, p in zip(p_values, adjusted, strict=True) if p > alpha)
