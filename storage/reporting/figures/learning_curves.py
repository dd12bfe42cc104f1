"""Metrics over epochs: mean ± SEM per row, column by column of a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from storage.reporting.curves import Curves, MeanCurve
from storage.reporting.figures.style import layout, look, name_of, text_of, transparent
from storage.reporting.table import Header, Table

GAP = 0.1
"""Share of the width between two panels."""


@dataclass(frozen=True)
class MetricCurves:
    """One panel: mean curves of a table's entries, and what its axis says of them."""

    label: str
    curves: Curves


def figure(table: Table, panels: Sequence[MetricCurves]) -> go.Figure:
    """A panel for each metric; a menu chooses the column, at first the last one."""
    shown = table.columns[-1]
    drawn = [
        (column, trace)
        for column in table.columns
        for index, row in enumerate(table.rows)
        for number, panel in enumerate(panels, start=1)
        if (row, column) in panel.curves
        for trace in _traces(panel.curves[row, column], row, index, number)
    ]
    for column, trace in drawn:
        trace.visible = column == shown
    menu = _menu(table, [column for column, _ in drawn])
    traces = [trace for _, trace in drawn]
    return go.Figure(traces, layout(_axes(panels)) | {"updatemenus": menu})


def _axes(panels: Sequence[MetricCurves]) -> dict[str, dict[str, Any]]:
    axes: dict[str, dict[str, Any]] = {}
    width = (1 - GAP * (len(panels) - 1)) / len(panels)
    for number, panel in enumerate(panels, start=1):
        left = (number - 1) * (width + GAP)
        x, y = _names(number)
        axes["xaxis" + x[1:]] = {
            "title": {"text": "epoch"},
            "domain": [left, left + width],
            "anchor": y,
        }
        axes["yaxis" + y[1:]] = {"title": {"text": text_of(panel.label)}, "anchor": x}
    return axes


def _names(number: int) -> tuple[str, str]:
    """plotly's names of the axes of a panel."""
    return (f"x{number}", f"y{number}") if number > 1 else ("x", "y")


def _menu(table: Table, owners: list[Header]) -> list[dict[str, Any]]:
    """One button per column; none if there is only one."""
    if len(table.columns) < 2:
        return []
    buttons = [
        {
            "label": text_of(
                ", ".join(f"{f} {v}" for f, v in zip(table.spec.columns, column, strict=True))
            ),
            "method": "restyle",
            "args": ["visible", [owner == column for owner in owners]],
        }
        for column in table.columns
    ]
    return [
        {
            "buttons": buttons,
            "active": len(buttons) - 1,
            "x": 1,
            "xanchor": "right",
            "y": 1.15,
            "yanchor": "top",
            "bgcolor": "rgba(128,128,128,0.2)",
        }
    ]


def _traces(curve: MeanCurve, row: Header, index: int, number: int) -> Iterator[go.Scatter]:
    colour, dash, _ = look(index)
    axes = dict(zip(("xaxis", "yaxis"), _names(number), strict=True))
    epochs = list(range(1, len(curve.mean) + 1))
    band = [
        (epoch, mean, sem)
        for epoch, mean, sem in zip(epochs, curve.mean, curve.sem, strict=True)
        if mean is not None and sem is not None
    ]
    if band:
        yield go.Scatter(
            x=[e for e, _, _ in band] + [e for e, _, _ in reversed(band)],
            y=[m + s for _, m, s in band] + [m - s for _, m, s in reversed(band)],
            fill="toself",
            fillcolor=transparent(colour, 0.2),
            line={"width": 0},
            hoverinfo="skip",
            legendgroup=str(index),
            showlegend=False,
            **axes,
        )
    yield go.Scatter(
        x=epochs,
        y=curve.mean,
        name=name_of(row),
        legendgroup=str(index),
        showlegend=number == 1,
        mode="lines",
        line={"color": colour, "dash": dash},
        hovertemplate=f"epoch %{{x}}: %{{y:.4g}}, n = {curve.n}",
        **axes,
    )
