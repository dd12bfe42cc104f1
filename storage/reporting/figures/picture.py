"""A figure as values: panels of lines, bars, planes and marks, before anything is drawn.

What computes a figure and what draws it meet here, so its numbers can be tested, written as CSV
and drawn by one module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Dash = Literal["solid", "dash", "dot"]
Scale = Literal["linear", "log"]


@dataclass(frozen=True)
class Axis:
    """What an axis shows; `limits` are in the units of the data, also on a log scale."""

    label: str
    scale: Scale = "linear"
    limits: tuple[float, float] | None = None


@dataclass(frozen=True)
class Band:
    """Below and above a line, point by point, as long as the line."""

    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


@dataclass(frozen=True)
class Line:
    """y over x, of equal length; None in `y` leaves a gap.

    `colour` numbers the colour, so that lines of one method have it in every panel.
    `n` is the number of runs that a point averages, None where nothing is averaged.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float | None, ...]
    colour: int
    dash: Dash = "solid"
    band: Band | None = None
    n: int | None = None


@dataclass(frozen=True)
class Histogram:
    """Densities between neighbouring `edges`, one fewer than edges; drawn behind the lines.

    `on_axis` says that its densities are read on the panel's y axis, as its lines are; else it has
    an axis of its own, which is not shown.
    """

    name: str
    edges: tuple[float, ...]
    densities: tuple[float, ...]
    on_axis: bool = False


@dataclass(frozen=True)
class Plane:
    """Values over a grid: `values[row][column]` belongs to `y[row]` and `x[column]`.

    `scale` is that of the colours.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    values: tuple[tuple[float, ...], ...]
    scale: Scale = "linear"


@dataclass(frozen=True)
class Mark:
    """One point that stands out, drawn as a cross."""

    name: str
    x: float
    y: float


@dataclass(frozen=True)
class Panel:
    """One pair of axes and what lies in it."""

    title: str
    x: Axis
    y: Axis
    lines: tuple[Line, ...] = ()
    histograms: tuple[Histogram, ...] = ()
    plane: Plane | None = None
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Picture:
    """A whole figure.

    Attributes:
        name: as the command line knows it, such as `staats2025-fig2`.
        caption: full sentences: what is shown, what equals the print and what is not known.
        num_columns: panels side by side.
    """

    name: str
    title: str
    caption: str
    panels: tuple[Panel, ...]
    num_columns: int = 2
