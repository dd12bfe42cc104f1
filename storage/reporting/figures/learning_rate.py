"""A searched field on a logarithmic axis, with the picked value of each group marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import plotly.graph_objects as go

from storage.attempt import PickRecord
from storage.reporting.figures.lines import Line, line_traces, lines_over
from storage.reporting.figures.style import is_number, layout, look, text_of
from storage.reporting.table import Table


def figure(table: Table, picks: Sequence[PickRecord]) -> go.Figure:
    """Mean ± SEM over the searched values; a star stands on each pick.

    Args:
        table: rows are the fields that make a group, the one column is the field searched.
        picks: of this search.
    """
    (field,) = table.spec.columns
    lines = lines_over(table, field)
    values = [x for line in lines for x, _ in line.points]
    scale = "log" if values and min(values) > 0 else "linear"
    axes: dict[str, dict[str, Any]] = {
        "xaxis": {"title": {"text": text_of(field)}, "type": scale},
        "yaxis": {"title": {"text": f"{table.spec.value} {table.facts.unit}"}},
    }
    stars = [star for i, line in enumerate(lines) for star in _stars(line, i, table, picks)]
    traces = [*line_traces(lines, table.facts.unit), *stars]
    return go.Figure(traces, layout(axes))


def _stars(
    line: Line, index: int, table: Table, picks: Sequence[PickRecord]
) -> Iterator[go.Scatter]:
    group = dict(zip(table.spec.rows, line.header, strict=True))
    for pick in picks:
        chosen = float(pick.value) if is_number(pick.value) else None
        for x, entry in line.points:
            if x == chosen and dict(pick.group) == group:
                yield go.Scatter(
                    x=[x],
                    y=[entry.mean],
                    legendgroup=str(index),
                    showlegend=False,
                    mode="markers",
                    marker={"symbol": "star", "size": 16, "color": look(index)[0]},
                    name="picked",
                    hovertemplate="picked: %{x}, %{y:.4g}",
                )
