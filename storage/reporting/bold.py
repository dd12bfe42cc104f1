"""Which entries of a column are set in bold. Knows groups of numbers, no tables."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Generic, Literal, TypeVar

from storage.reporting.statistics import PairedTest, holm, paired_t_test, shared_seeds

Rule = Literal["paired", "max", "none"]
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Group(Generic[Key]):
    """Competitors.

    Args:
        numbers: key → seed → number.
        higher_is_better: which direction wins.
        barred: keys that may not be marked, such as entries with a collapsed run: they can be
            beaten, but neither win nor tie.
    """

    numbers: Mapping[Key, Mapping[int, float]]
    higher_is_better: bool
    barred: frozenset[Key] = frozenset()

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """Seeds that all that may be marked share: the leader and the tests stand on these."""
        return shared_seeds(self._eligible.values())

    @cached_property
    def compared(self) -> dict[Key, dict[int, float]]:
        """All that may be marked, on the seeds that they share; empty if they share none."""
        return {
            key: {seed: numbers[seed] for seed in self.seeds}
            for key, numbers in self._eligible.items()
            if self.seeds
        }

    @property
    def has_unequal_seeds(self) -> bool:
        """Whether some of those compared has seeds that another lacks."""
        return any(len(numbers) > len(self.seeds) for numbers in self._eligible.values())

    def best(self) -> list[Key]:
        """Keys with the best mean; several only if their means are equal."""
        if not self.compared:
            return []
        sign = 1 if self.higher_is_better else -1
        scores = {key: sign * fmean(seeds.values()) for key, seeds in self.compared.items()}
        top = max(scores.values())
        return [key for key, score in scores.items() if score == top]

    @cached_property
    def _eligible(self) -> dict[Key, Mapping[int, float]]:
        return {key: seeds for key, seeds in self.numbers.items() if key not in self.barred}


@dataclass(frozen=True)
class BoldVerdict(Generic[Key]):
    """Bold keys. `is_untested`: there was something to test, on fewer than two shared seeds."""

    keys: frozenset[Key]
    is_untested: bool = False


def bold_keys(group: Group[Key], rule: Rule, alpha: float) -> BoldVerdict[Key]:
    """Apply a bold rule to one group.

    `paired` marks the best mean and every other that the two-sided paired t-test does not tell from
    it at family-wise level `alpha`, Holm-corrected over those compared. Where there is nothing to
    test, only the best is marked: too few seeds are no evidence of a tie. Without any shared seed
    nothing is marked. A lone competitor wins nothing.
    """
    best = group.best()
    if rule == "none" or len(group.numbers) < 2:
        return BoldVerdict(frozenset())
    if rule == "max":
        return BoldVerdict(frozenset(best))
    tests = {
        key: paired_t_test(group.compared[best[0]], numbers)
        for key, numbers in group.compared.items()
        if key != best[0]
    }
    is_untested = len(group.seeds) < 2 and len(group.numbers.keys() - group.barred) > 1
    return BoldVerdict(frozenset(best) | _not_distinguished(tests, alpha), is_untested)


def _not_distinguished(tests: Mapping[Key, PairedTest | None], alpha: float) -> frozenset[Key]:
    p_values = {key: test.p_value for key, test in tests.items() if test is not None}
    adjusted = holm(list(p_values.values()))
    return frozenset(key for key, p in zip(p_values, adjusted, strict=True) if p > alpha)
