"""The spread around a mean that a figure shows as a band. Values in, values out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Literal

from storage.reporting.figures.picture import Band
from storage.reporting.statistics import student_t_quantile

Spread = Literal["sem", "sd", "interval", "none"]

INTERVAL_ALPHA = 0.05

SPREAD_WORDS: dict[Spread, str] = {
    "sem": "Bands are ± SEM (sample standard deviation, ddof = 1, divided by √n).",
    "sd": "Bands are ± one sample standard deviation over runs (ddof = 1).",
    "interval": "Bands are 95 % intervals of the mean by Student's t.",
    "none": "No spread is drawn.",
}


def band_of(
    spread: Spread, means: Sequence[float | None], errors: Sequence[float | None], n: Sequence[int]
) -> Band | None:
    """A band around means with these standard errors over `n` runs each; None without any."""
    if spread == "none":
        return None
    halves = [
        None if error is None else error * _factor(spread, runs)
        for error, runs in zip(errors, n, strict=True)
    ]
    pairs = list(zip(means, halves, strict=True))
    if all(mean is None or half is None for mean, half in pairs):
        return None
    return Band(
        low=tuple(None if m is None or h is None else m - h for m, h in pairs),
        high=tuple(None if m is None or h is None else m + h for m, h in pairs),
    )


def _factor(spread: Spread, n: int) -> float:
    """Half the width of a band in standard errors of the mean."""
    if spread == "interval":
        return _quantile(n - 1)
    return math.sqrt(n) if spread == "sd" else 1.0


@cache
def _quantile(degrees_of_freedom: int) -> float:
    return student_t_quantile(INTERVAL_ALPHA, degrees_of_freedom)
