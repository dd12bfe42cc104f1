"""The table's metric against the noise rate, one line per remaining row and column."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from storage.reporting.figures.lines import line_traces, lines_over
from storage.reporting.figures.style import layout
from storage.reporting.table import Table

FIELD = "noise.rate"


def spans_noise_rate(table: Table) -> bool:
    """Whether the table has anything to draw over the noise rate."""
    if FIELD not in (*table.spec.rows, *table.spec.columns):
        return False
    return any(len(line.points) > 1 for line in lines_over(table, FIELD))


def figure(table: Table) -> go.Figure:
    """Mean ± SEM over the noise rate, with a point per seed."""
    axes: dict[str, dict[str, Any]] = {
        "xaxis": {"title": {"text": "noise rate"}},
        "yaxis": {"title": {"text": f"{table.spec.value} {table.facts.unit}"}},
    }
    traces = list(line_traces(lines_over(table, FIELD), table.facts.unit))
    return go.Figure(traces, layout(axes))
