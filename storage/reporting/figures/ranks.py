"""Mean rank of each row over all settings, with its interval; the best on top."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go

from storage.reporting.figures.style import COLOURS, layout, name_of
from storage.reporting.ranks import Ranking


def figure(ranking: Ranking) -> go.Figure:
    """One point a row; whiskers are 95 % bootstrap intervals over seeds."""
    ranks = ranking.ranks[::-1]
    pairs = [(rank.mean, *(rank.interval or (rank.mean, rank.mean))) for rank in ranks]
    trace = go.Scatter(
        x=[rank.mean for rank in ranks],
        y=[name_of(rank.header) for rank in ranks],
        mode="markers",
        marker={"size": 10, "color": COLOURS[0]},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [high - mean for mean, _, high in pairs],
            "arrayminus": [mean - low for mean, low, _ in pairs],
        },
        customdata=[rank.num_wins for rank in ranks],
        hovertemplate="%{y}: mean rank %{x:.2f}, %{customdata} wins<extra></extra>",
        showlegend=False,
    )
    axes: dict[str, dict[str, Any]] = {
        "xaxis": {"title": {"text": f"mean rank over {ranking.num_settings} settings, 1 is best"}},
        "yaxis": {"type": "category"},
    }
    return go.Figure([trace], layout(axes))
