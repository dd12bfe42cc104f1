"""A picture → CSV: a row for each point of what it shows, numbers in full precision."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from storage.reporting.figures.picture import Histogram, Line, Panel, Picture, Plane
from storage.reporting.render.csv import Value, guarded

COLUMNS = ("panel", "kind", "series", "x", "y", "low", "high", "n", "z")
"""`low` and `high` are the band of a line, and the edges of a bar in x; `z` belongs to planes."""


def picture_csv(picture: Picture) -> str:
    """All panels in long form; what a kind does not have stays empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for number, panel in enumerate(picture.panels, start=1):
        name = panel.title or str(number)
        writer.writerows(guarded((name, *row)) for row in _rows(panel))
    return out.getvalue()


def _rows(panel: Panel) -> Iterator[tuple[Value, ...]]:
    for line in panel.lines:
        yield from _line_rows(line)
    for bars in panel.histograms:
        yield from _bar_rows(bars)
    if panel.plane:
        yield from _plane_rows(panel.plane)
    for mark in panel.marks:
        yield "mark", mark.name, mark.x, mark.y, None, None, None, None


def _line_rows(line: Line) -> Iterator[tuple[Value, ...]]:
    nothing = (None,) * len(line.x)
    low, high = (line.band.low, line.band.high) if line.band else (nothing, nothing)
    for x, y, below, above in zip(line.x, line.y, low, high, strict=True):
        yield "line", line.name, x, y, below, above, line.n, None


def _bar_rows(bars: Histogram) -> Iterator[tuple[Value, ...]]:
    for low, high, density in zip(bars.edges, bars.edges[1:], bars.densities, strict=False):
        yield "histogram", bars.name, (low + high) / 2, density, low, high, None, None


def _plane_rows(plane: Plane) -> Iterator[tuple[Value, ...]]:
    for y, row in zip(plane.y, plane.values, strict=True):
        for x, value in zip(plane.x, row, strict=True):
            yield "plane", plane.name, x, y, None, None, None, value
