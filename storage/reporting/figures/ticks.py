"""Round numbers for logarithmic axes, written as people write them."""

from __future__ import annotations

import math
from typing import Any

WIDE = 2.5
"""Powers of ten that an axis must span before they alone are ticks enough."""

PLAIN = range(-3, 5)
"""Powers of ten that are written out."""


def log_ticks(low: float, high: float) -> dict[str, Any]:
    """Values and texts of the ticks between two positive numbers, as plotly takes them."""
    first, last = math.log10(low), math.log10(high)
    steps = (1,) if last - first > WIDE else (1, 2, 5)
    powers = range(math.floor(first), math.ceil(last) + 1)
    values = [(step, power) for power in powers for step in steps]
    kept = [(s, p) for s, p in values if low * 0.999 <= s * 10.0**p <= high * 1.001]
    return {
        "tickmode": "array",
        "tickvals": [step * 10.0**power for step, power in kept],
        "ticktext": [_text(step, power) for step, power in kept],
    }


def _text(step: int, power: int) -> str:
    if power in PLAIN:
        value = step * 10.0**power
        return f"{value:,.0f}" if power >= 0 else f"{value:.{-power}f}"
    factor = "" if step == 1 else f"{step}×"
    return f"{factor}10<sup>{power}</sup>"
