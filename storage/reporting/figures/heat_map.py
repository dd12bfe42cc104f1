"""A table as colours: rows against columns."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from storage.reporting.figures.style import layout, name_of
from storage.reporting.table import Table


def is_worth_drawing(table: Table) -> bool:
    """Whether there is a plane to colour: two rows and three columns with a number at least."""
    filled = [place for place, entry in table.entries.items() if entry.mean is not None]
    rows, columns = {row for row, _ in filled}, {column for _, column in filled}
    return len(rows) > 1 and len(columns) > 2


def figure(table: Table) -> go.Figure:
    """Means; entries without one stay empty. Dark is low, told apart with any colour vision."""
    rows = table.rows[::-1]
    trace = go.Heatmap(
        x=[name_of(column) for column in table.columns],
        y=[name_of(row) for row in rows],
        z=[[table.entries[row, column].mean for column in table.columns] for row in rows],
        colorscale="Viridis",
        colorbar={"title": {"text": table.facts.unit}},
        hovertemplate="%{y}<br>%{x}<br>%{z:.2f}<extra></extra>",
        hoverongaps=False,
    )
    axes: dict[str, dict[str, Any]] = {
        "xaxis": {"type": "category", "title": {"text": ", ".join(table.spec.columns)}},
        "yaxis": {"type": "category"},
    }
    return go.Figure([trace], layout(axes))
