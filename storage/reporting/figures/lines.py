"""A table's entries as lines over one of its numeric fields: mean ± SEM, and a point per seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import plotly.graph_objects as go

from storage.reporting.figures.style import is_number, look, name_of, without
from storage.reporting.table import Entry, Header, Table


@dataclass(frozen=True)
class Line:
    """Entries that differ only in the field on the axis, in its order."""

    header: Header
    points: tuple[tuple[float, Entry], ...]


def lines_over(table: Table, field: str) -> tuple[Line, ...]:
    """Lines over a field that spans the table; entries without a mean are left out."""
    fields = (*table.spec.rows, *table.spec.columns)
    position = fields.index(field)
    found: dict[Header, list[tuple[float, Entry]]] = {}
    for (row, column), entry in table.entries.items():
        header = (*row, *column)
        if entry.mean is not None and is_number(header[position]):
            rest = without(header, fields, field)
            found.setdefault(rest, []).append((float(header[position]), entry))
    return tuple(
        Line(header, tuple(sorted(points, key=lambda point: point[0])))
        for header, points in found.items()
    )


def line_traces(lines: tuple[Line, ...], unit: str) -> Iterator[go.Scatter]:
    """A line with error bars and, under the same legend entry, a point for each seed."""
    for index, line in enumerate(lines):
        yield _mean_trace(line, index, unit)
        yield _seed_trace(line, index, unit)


def _mean_trace(line: Line, index: int, unit: str) -> go.Scatter:
    colour, dash, symbol = look(index)
    return go.Scatter(
        x=[x for x, _ in line.points],
        y=[entry.mean for _, entry in line.points],
        error_y={"array": [entry.sem or 0 for _, entry in line.points], "color": colour},
        customdata=[[entry.n, entry.num_planned] for _, entry in line.points],
        name=name_of(line.header),
        legendgroup=str(index),
        mode="lines+markers",
        line={"color": colour, "dash": dash},
        marker={"symbol": symbol, "size": 8},
        hovertemplate=f"%{{x}}: %{{y:.4g}}{unit}, n = %{{customdata[0]}}/%{{customdata[1]}}",
    )


def _seed_trace(line: Line, index: int, unit: str) -> go.Scatter:
    colour, _, symbol = look(index)
    points = [(x, value, seed) for x, entry in line.points for seed, value in entry.numbers.items()]
    return go.Scatter(
        x=[x for x, _, _ in points],
        y=[value for _, value, _ in points],
        customdata=[seed for _, _, seed in points],
        name=name_of(line.header),
        legendgroup=str(index),
        showlegend=False,
        mode="markers",
        marker={"color": colour, "symbol": f"{symbol}-open", "size": 5, "opacity": 0.6},
        hovertemplate=f"%{{x}}: %{{y:.4g}}{unit}, seed %{{customdata}}",
    )
