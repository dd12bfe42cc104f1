"""The statistics of the report: mean, SEM, the paired t-test, Holm's correction, z.

Plain functions over numbers, in plain Python, so that a report starts at once and gives the same
digits everywhere. Knows no tables, no losses and no store.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median, stdev


def mean(values: Sequence[float]) -> float | None:
    """Arithmetic mean; None for no values."""
    return fmean(values) if values else None


def standard_error(values: Sequence[float]) -> float | None:
    """Standard error of the mean, s / √n with the sample standard deviation s (ddof = 1).

    Returns:
        None for fewer than two values: a single run says nothing about its spread.
    """
    return stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None


def combined_error(first: float | None, second: float | None) -> float | None:
    """SEM of the difference of two independent means, √(a² + b²); None if either is unknown."""
    if first is None or second is None:
        return None
    return math.hypot(first, second)


def z_score(difference: float, error: float | None) -> float | None:
    """Difference in units of its standard error; None where that is unknown or zero."""
    return difference / error if error else None


def shared_seeds(groups: Iterable[Iterable[int]]) -> tuple[int, ...]:
    """Seeds that every group has, in order; none for no groups.

    Whatever is compared is compared on these, so that no group wins by its easier seeds.
    """
    sets = [set(seeds) for seeds in groups]
    return tuple(sorted(set.intersection(*sets))) if sets else ()


@dataclass(frozen=True)
class PairedTest:
    """Two-sided paired t-test.

    Args:
        difference: mean of the paired differences, first minus second.
        statistic: t; 0 or ±∞ if the differences do not vary.
        degrees_of_freedom: n - 1.
        p_value: probability of a |t| at least as large if the true mean difference is 0.
    """

    difference: float
    statistic: float
    degrees_of_freedom: int
    p_value: float


def paired_t_test(first: Mapping[int, float], second: Mapping[int, float]) -> PairedTest | None:
    """Paired t-test over the seeds that both sides have.

    Differences without any variance leave t undefined; the limit is taken: p = 1 if they are all
    zero (the same numbers), p = 0 if they are all equal and not zero.

    Args:
        first, second: seed → value.

    Returns:
        None for fewer than two shared seeds: there is no test to make.
    """
    seeds = sorted(first.keys() & second.keys())
    differences = [first[seed] - second[seed] for seed in seeds]
    error = standard_error(differences)
    if error is None:
        return None
    difference, degrees_of_freedom = fmean(differences), len(differences) - 1
    if error == 0:
        statistic = math.copysign(math.inf, difference) if difference else 0.0
    else:
        statistic = difference / error
    p_value = student_t_two_sided(statistic, degrees_of_freedom)
    return PairedTest(difference, statistic, degrees_of_freedom, p_value)


def smallest_detectable(spread: float, n: int, alpha: float, power: float = 0.8) -> float:
    """Difference that a paired t-test over n seeds finds with the given power, in the usual
    approximation (t quantile of the level plus t quantile of the power) · s / √n.

    Args:
        spread: standard deviation s of the paired differences.
        n: shared seeds, ≥ 2.
        alpha: two-sided level.
    """
    quantiles = student_t_quantile(alpha, n - 1) + student_t_quantile(2 * (1 - power), n - 1)
    return quantiles * spread / math.sqrt(n)


def student_t_quantile(two_sided_p: float, degrees_of_freedom: float) -> float:
    """t with P(|T| ≥ t) = p, by bisection."""
    low, high = 0.0, 1.0
    while student_t_two_sided(high, degrees_of_freedom) > two_sided_p:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        if student_t_two_sided(middle, degrees_of_freedom) > two_sided_p:
            low = middle
        else:
            high = middle
    return high


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's step-down adjusted p-values, in the order given.

    The i-th smallest of m is multiplied by m - i + 1; adjusted values never decrease along that
    order and stop at 1.

    Source: Holm, A simple sequentially rejective multiple test procedure, 1979.
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, p_values[index] * (len(p_values) - rank)))
        adjusted[index] = largest
    return tuple(adjusted)


def student_t_two_sided(statistic: float, degrees_of_freedom: float) -> float:
    """P(|T| ≥ |t|) of Student's t with ν degrees of freedom: I_x(ν/2, 1/2), x = ν / (ν + t²)."""
    if math.isinf(statistic):
        return 0.0
    x = degrees_of_freedom / (degrees_of_freedom + statistic * statistic)
    return regularized_incomplete_beta(degrees_of_freedom / 2, 0.5, x)


def regularized_incomplete_beta(a: float, b: float, x: float) -> float:
    """I_x(a, b) for a, b > 0 and 0 ≤ x ≤ 1, by its continued fraction.

    The fraction converges fast for x below the mean of the distribution; above it the symmetry
    I_x(a, b) = 1 - I_{1-x}(b, a) is used.

    Source: NIST Digital Library of Mathematical Functions, 8.17.4 and 8.17.22.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - regularized_incomplete_beta(b, a, 1 - x)
    log_front = a * math.log(x) + b * math.log1p(-x) - _log_beta(a, b)
    return math.exp(log_front) * _beta_fraction(a, b, x) / a


@dataclass(frozen=True)
class Agreement:
    """How well a set of z-scores fits zero.

    Args:
        count: number of z-scores.
        share_within_two: fraction with |z| ≤ 2; about 0.95 if only chance is at work.
        median: median |z|; about 0.67.
        root_mean_square: √(mean z²); about 1.
    """

    count: int
    share_within_two: float
    median: float
    root_mean_square: float


def agreement(z_scores: Sequence[float]) -> Agreement | None:
    """Summary of |z| over many comparisons; None for none."""
    if not z_scores:
        return None
    sizes = [abs(z) for z in z_scores]
    return Agreement(
        count=len(sizes),
        share_within_two=sum(size <= 2 for size in sizes) / len(sizes),
        median=median(sizes),
        root_mean_square=math.sqrt(fmean(size * size for size in sizes)),
    )


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _beta_fraction(a: float, b: float, x: float) -> float:
    """1/(1 + d₁/(1 + d₂/(1 + …))), evaluated from the front by Lentz's method."""
    tiny, precise = 1e-300, 1e-16
    value, c, d = 1.0, 1.0, 0.0
    for step in range(1, 10_000):
        half, is_odd = divmod(step, 2)
        if is_odd:
            term = -(a + half) * (a + b + half) / ((a + 2 * half) * (a + 2 * half + 1))
        else:
            term = half * (b - half) / ((a + 2 * half - 1) * (a + 2 * half))
        d = 1 / ((1 + term * x * d) or tiny)
        c = (1 + term * x / c) or tiny
        value *= c * d
        if abs(c * d - 1) < precise:
            break
    return 1 / value
