"""A table's runs → mean curves over epochs, for the figures. Values in, values out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from storage.reporting.selection import METRIC_FACTS, Curve
from storage.reporting.statistics import mean, standard_error
from storage.reporting.table import Header, Table


@dataclass(frozen=True)
class MeanCurve:
    """Mean and SEM over runs at epochs 1, 2, …

    Args:
        mean: None at an epoch where some run has no finite value.
        sem: None for a single run as well.
        n: number of runs.
    """

    mean: tuple[float | None, ...]
    sem: tuple[float | None, ...]
    n: int

    @property
    def is_visible(self) -> bool:
        """Whether there is a point to draw."""
        return any(value is not None for value in self.mean)


Curves = Mapping[tuple[Header, Header], MeanCurve]
"""Entry of a table → its mean curve; entries without any point to draw are absent."""


def mean_curve(curves: Sequence[Curve], scale: float) -> MeanCurve:
    """Mean over runs at each epoch that all of them reached."""
    epochs = [
        [value * scale for value in values if value is not None]
        for values in zip(*curves, strict=False)
    ]
    complete = [values if len(values) == len(curves) else [] for values in epochs]
    return MeanCurve(
        mean=tuple(mean(values) for values in complete),
        sem=tuple(standard_error(values) for values in complete),
        n=len(curves),
    )


def table_curves(table: Table, metric: str, curves: Mapping[str, Curve]) -> Curves:
    """Mean curves of one metric, in its unit, for the entries of a table that have any."""
    scale = 100 if METRIC_FACTS[metric].is_fraction else 1
    runs = {
        place: [curves[key] for key in entry.keys.values() if key in curves]
        for place, entry in table.entries.items()
    }
    means = {place: mean_curve(found, scale) for place, found in runs.items() if found}
    return {place: curve for place, curve in means.items() if curve.is_visible}
