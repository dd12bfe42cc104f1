"""How learning starts: ⟨δ_k⟩(z_k) over the law of the labelled logit, and the logit bias ε(K)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from storage.reporting.figures.style import layout, look, text_of, transparent


@dataclass(frozen=True)
class ErrorCurve:
    """⟨δ_k⟩ over z_k of one loss at one class count; `logits` and `errors` of equal length."""

    name: str
    logits: tuple[float, ...]
    errors: tuple[float, ...]


def early_learning_figure(curves: Sequence[ErrorCurve]) -> go.Figure:
    """A line for each curve, and N(0, 1), where a fresh network's labelled logit lies, behind."""
    figure = go.Figure([_initial_law(curves[0].logits)])
    for index, curve in enumerate(curves):
        colour, dash, _ = look(index)
        figure.add_scatter(
            x=curve.logits,
            y=curve.errors,
            name=text_of(curve.name),
            mode="lines",
            line={"color": colour, "dash": dash},
        )
    axes: dict[str, dict[str, Any]] = {
        "xaxis": {"title": {"text": "labelled logit z<sub>k</sub>"}},
        "yaxis": {"title": {"text": "mean backpropagation error ⟨δ<sub>k</sub>⟩"}},
        "yaxis2": {"overlaying": "y", "side": "right", "visible": False, "range": [0, 1]},
    }
    figure.update_layout(layout(axes))
    return figure


def logit_bias_figure(class_counts: Sequence[int], biases: Sequence[float]) -> go.Figure:
    """ε against K, of equal length."""
    colour, _, symbol = look(0)
    figure = go.Figure()
    figure.add_scatter(
        x=class_counts,
        y=biases,
        mode="lines+markers",
        line={"color": colour},
        marker={"symbol": symbol, "size": 5},
    )
    axes: dict[str, dict[str, Any]] = {
        "xaxis": {"title": {"text": "number of classes K"}, "type": "log"},
        "yaxis": {"title": {"text": "logit bias ε"}},
    }
    figure.update_layout(layout(axes))
    return figure


def _initial_law(logits: Sequence[float]) -> go.Scatter:
    density = [math.exp(-z * z / 2) / math.sqrt(2 * math.pi) for z in logits]
    return go.Scatter(
        x=logits,
        y=density,
        yaxis="y2",
        name="initial logits, N(0, 1)",
        mode="lines",
        line={"width": 0},
        fill="tozeroy",
        fillcolor=transparent("#7F7F7F", 0.25),
        hoverinfo="skip",
    )
