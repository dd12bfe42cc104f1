"""The axes by which a study tells its cells apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from storage.attempt import PlannedCell


def varying_axes(cells: Iterable[PlannedCell]) -> frozenset[str]:
    """Axes in which cells differ. An axis with one value, or that all lack, tells nothing apart."""
    values: dict[str, set[str | None]] = {}
    cells = tuple(cells)
    for name in {name for cell in cells for name in cell.axes}:
        values[name] = {cell.axes.get(name) for cell in cells}
    return frozenset(name for name, met in values.items() if len(met) > 1)


def told(axes: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Those of `axes` that are in `names`, in their order."""
    return {name: axes[name] for name in sorted(names) if name in axes}
