"""Labels in one column: kept apart, each as near to where it belongs as the others allow."""

from __future__ import annotations

from collections.abc import Sequence


def spread(wanted: Sequence[float], step: float, low: float, high: float) -> list[float]:
    """Heights at least `step` apart between `low` and `high`, with the least sum of squared moves.

    Args:
        wanted: heights in rising order. If they do not all fit, they are put closer than `step`.
    """
    if len(wanted) < 2:
        return [min(max(height, low), high) for height in wanted]
    step = min(step, (high - low) / (len(wanted) - 1))
    # Without the steps, "at least a step apart" is "not falling": pool neighbours that fall.
    pools: list[tuple[float, int]] = []
    for place, height in enumerate(wanted):
        pools.append((height - place * step, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (upper, n_upper), (lower, n_lower) = pools.pop(), pools.pop()
            count = n_upper + n_lower
            pools.append(((upper * n_upper + lower * n_lower) / count, count))
    last = high - (len(wanted) - 1) * step
    level = [min(max(mean, low), last) for mean, count in pools for _ in range(count)]
    return [height + place * step for place, height in enumerate(level)]
