"""Test accuracy and memorisation over epochs: mean ± SEM per row, column by column of a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import plotly.graph_objects as go

from storage.reporting.curves import Curves, MeanCurve
from storage.reporting.figures.style import layout, look, name_of, text_of, transparent
from storage.reporting.table import Header, Table

LEFT = {"xaxis": "x", "yaxis": "y"}
RIGHT = {"xaxis": "x2", "yaxis": "y2"}


def figure(table: Table, accuracy: Curves, memorization: Curves) -> go.Figure:
    """Two panels; a menu chooses the column, at first the last one.

    Args:
        accuracy, memorization: mean curves of the table's entries, in per cent.
    """
    shown = table.columns[-1]
    drawn = [
        (column, trace)
        for column in table.columns
        for index, row in enumerate(table.rows)
        for axes, curves in ((LEFT, accuracy), (RIGHT, memorization))
        if (row, column) in curves
        for trace in _traces(curves[row, column], row, index, axes)
    ]
    for column, trace in drawn:
        trace.visible = column == shown
    menu = _menu(table, [column for column, _ in drawn])
    return go.Figure([trace for _, trace in drawn], layout(_axes()) | {"updatemenus": menu})


def _axes() -> dict[str, dict[str, Any]]:
    epoch = {"title": {"text": "epoch"}}
    return {
        "xaxis": {**epoch, "domain": [0, 0.45]},
        "xaxis2": {**epoch, "domain": [0.55, 1], "anchor": "y2"},
        "yaxis": {"title": {"text": "test accuracy %"}},
        "yaxis2": {"title": {"text": "memorised wrong labels %"}, "anchor": "x2"},
    }


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


def _traces(
    curve: MeanCurve, row: Header, index: int, axes: dict[str, str]
) -> Iterator[go.Scatter]:
    colour, dash, _ = look(index)
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
        showlegend=axes == LEFT,
        mode="lines",
        line={"color": colour, "dash": dash},
        hovertemplate=f"epoch %{{x}}: %{{y:.2f}}%, n = {curve.n}",
        **axes,
    )
