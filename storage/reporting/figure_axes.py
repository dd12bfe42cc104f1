"""What the axes of a figure of results span. Values in, values out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from storage.reporting.figures.picture import Axis, Line, Plane, Scale
from storage.reporting.selection import METRIC_FACTS, axis_words
from storage.reporting.table import TableError

FULL = (0.0, 100.0)
"""Where every share in per cent lies."""
MARGIN = 0.06
"""Of the height, left free above and below the lines."""


def value_axis(metrics: Sequence[str], lines: Sequence[Line]) -> Axis:
    """The axis of the metrics; a wide band of a share does not stretch it below 0 or over 100.

    Raises TableError if the metrics share no unit.
    """
    label = _value_words(metrics)
    band = [value for line in lines if line.band for value in (*line.band.low, *line.band.high)]
    known = [value for line in lines for value in line.y if value is not None]
    known += [value for value in band if value is not None]
    is_share = all(METRIC_FACTS[metric].is_fraction for metric in metrics)
    if not is_share or not known or (min(known) >= FULL[0] and max(known) <= FULL[1]):
        return Axis(label)
    low, high = max(min(known), FULL[0]), min(max(known), FULL[1])
    room = MARGIN * (high - low)
    return Axis(label, limits=(low - room, high + room))


def plane_axis(label: str, scale: Scale, values: Sequence[float]) -> Axis:
    """An axis of a plane, on which the outer cells are as wide as their neighbours' halves."""
    places = [math.log10(value) for value in values] if scale == "log" else list(values)
    gaps = [right - left for left, right in pairwise(places)] or [1.0]
    low, high = places[0] - gaps[0] / 2, places[-1] + gaps[-1] / 2
    return Axis(label, scale, (10**low, 10**high) if scale == "log" else (low, high))


def plane_axes(
    words: Sequence[str], scales: Sequence[Scale], plane: Plane | None
) -> tuple[Axis, Axis]:
    """Both axes of a plane, as far as there is one."""
    if plane is None:
        x, y = (Axis(label, scale) for label, scale in zip(words, scales, strict=True))
    else:
        spans = zip(words, scales, (plane.x, plane.y), strict=True)
        x, y = (plane_axis(label, scale, values) for label, scale, values in spans)
    return x, y


def _value_words(metrics: Sequence[str]) -> str:
    """What an axis of these metrics shows."""
    if len(metrics) == 1:
        return axis_words(metrics[0])
    facts = [METRIC_FACTS[metric] for metric in metrics]
    if len({one.is_fraction for one in facts}) > 1:
        raise TableError(f"{' and '.join(metrics)} share no unit; put metric into panels")
    shared = "accuracy" if all("accuracy" in one.short for one in facts) else "value"
    return f"{shared} {facts[0].unit}".rstrip()
