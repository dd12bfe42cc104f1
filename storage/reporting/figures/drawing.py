"""A picture → a plotly figure: panels side by side, and each line named where it ends.

Nothing is computed here but places. What is drawn suits light and dark pages: texts take the ink of
the page, lines have colours that stand out from both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from storage.reporting.figures.picture import Axis, Histogram, Line, Mark, Panel, Picture, Plane
from storage.reporting.figures.sheet import LEADER, SCREEN, Frame, Sheet, arrange, label_width
from storage.reporting.figures.spreading import spread
from storage.reporting.figures.style import colour_of, layout, subscripted, transparent
from storage.reporting.figures.ticks import log_ticks

GREY = "#7F7F7F"
HIDDEN_AXIS = 100
"""Added to a panel's number for the second axis of its histograms."""

HISTOGRAM_SHARE = 0.55
"""Of a panel's height, taken by its highest bar."""

CROWDED = 3.0
"""Overlap of two histograms, in units of x, from where their names would meet."""

LINE_SPACING = 1.2


@dataclass(frozen=True)
class Place:
    """A panel with its number, from 1, its frame, and what its axes span."""

    number: int
    panel: Panel
    frame: Frame
    x: tuple[float, float]
    y: tuple[float, float]

    @property
    def axes(self) -> dict[str, str]:
        end = "" if self.number == 1 else str(self.number)
        return {"xaxis": f"x{end}", "yaxis": f"y{end}"}

    def height_of(self, y: float) -> float:
        """A value as a fraction of the sheet's height, within the frame."""
        share = _share(self.panel.y, self.y, y)
        return self.frame.bottom + min(max(share, 0.0), 1.0) * (self.frame.top - self.frame.bottom)

    def across(self, x: float) -> float:
        """A value as a fraction of the sheet's width, within the frame."""
        share = _share(self.panel.x, self.x, x)
        return self.frame.left + min(max(share, 0.0), 1.0) * (self.frame.right - self.frame.left)


def draw(picture: Picture, sheet: Sheet = SCREEN) -> go.Figure:
    """The whole picture but for its title and caption, which belong to the page around it.

    The figure carries its height (and, on a sheet of fixed width, its width) in its layout.
    """
    arrangement = arrange(picture, sheet)
    places = [
        Place(number, panel, frame, *_spans(panel))
        for number, (panel, frame) in enumerate(
            zip(picture.panels, arrangement.frames, strict=True), start=1
        )
    ]
    axes = {name: axis for place in places for name, axis in _axes(place).items()}
    figure = go.Figure([trace for place in places for trace in _traces(place, sheet)], layout(axes))
    figure.update_layout(
        height=arrangement.height,
        width=sheet.width if sheet.is_fixed else None,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        font={"size": sheet.font_size},
        showlegend=False,
        annotations=[note for place in places for note in _notes(place, sheet)],
        shapes=[shape for place in places for shape in _leaders(place, sheet)],
    )
    return figure


def _spans(panel: Panel) -> tuple[tuple[float, float], tuple[float, float]]:
    xs: list[float] = [x for line in panel.lines for x in line.x]
    ys: list[float | None] = [y for line in panel.lines for y in line.y]
    for line in panel.lines:
        if line.band:
            ys += [*line.band.low, *line.band.high]
    xs += [edge for bars in panel.histograms for edge in bars.edges]
    ys += [top for bars in panel.histograms if bars.on_axis for top in (0.0, *bars.densities)]
    xs += [mark.x for mark in panel.marks]
    ys += [mark.y for mark in panel.marks]
    if panel.plane:
        # Cells of a plane reach to its border: its axes get no margin.
        return _span(panel.x, panel.plane.x, 0.0), _span(panel.y, panel.plane.y, 0.0)
    return _span(panel.x, xs, 0.0), _span(panel.y, ys, 0.06)


def _span(axis: Axis, values: Iterable[float | None], margin: float) -> tuple[float, float]:
    """What an axis shows: its own limits, or those of the data with a margin."""
    if axis.limits is not None:
        return axis.limits
    known = [v for v in values if v is not None and math.isfinite(v)]
    if axis.scale == "log":
        known = [value for value in known if value > 0]
    if not known:
        return (1.0, 10.0) if axis.scale == "log" else (0.0, 1.0)
    low, high = _scaled(axis, min(known)), _scaled(axis, max(known))
    pad = margin * (high - low) or (0.0 if high > low else 0.5)
    return _unscaled(axis, low - pad), _unscaled(axis, high + pad)


def _scaled(axis: Axis, value: float) -> float:
    return math.log10(value) if axis.scale == "log" else value


def _unscaled(axis: Axis, value: float) -> float:
    return 10**value if axis.scale == "log" else value


def _share(axis: Axis, span: tuple[float, float], value: float) -> float:
    """Where a value lies between the ends of an axis: 0 to 1."""
    if axis.scale == "log" and value <= 0:
        return 0.0
    low, high = _scaled(axis, span[0]), _scaled(axis, span[1])
    return (_scaled(axis, value) - low) / (high - low)


def _axes(place: Place) -> dict[str, dict[str, Any]]:
    panel, frame, end = place.panel, place.frame, "" if place.number == 1 else str(place.number)
    across, along = [frame.left, frame.right], [frame.bottom, frame.top]
    axes = {
        f"xaxis{end}": {**_axis(panel.x, place.x), "domain": across, "anchor": f"y{end}"},
        f"yaxis{end}": {**_axis(panel.y, place.y), "domain": along, "anchor": f"x{end}"},
    }
    if apart := [bars for bars in panel.histograms if not bars.on_axis]:
        hidden = place.number + HIDDEN_AXIS
        highest = max(density for bars in apart for density in bars.densities)
        axes[f"yaxis{hidden}"] = {
            "domain": along,
            "anchor": f"x{end}",
            "visible": False,
            "range": [0, highest / HISTOGRAM_SHARE],
        }
        # What overlays another axis is drawn above it, so the bars lie behind the lines.
        # Its own ticks, not one at each of the hidden axis.
        axes[f"yaxis{end}"] |= {"overlaying": f"y{hidden}", "tickmode": "auto"}
    return axes


def _axis(axis: Axis, span: tuple[float, float]) -> dict[str, Any]:
    ticks = log_ticks(*span) if axis.scale == "log" else {}
    return {
        "title": {"text": subscripted(axis.label), "standoff": 4},
        "type": axis.scale,
        "range": [_scaled(axis, end) for end in span],
        "zeroline": axis.scale == "linear" and span[0] < 0 < span[1],
        **ticks,
    }


def _traces(place: Place, sheet: Sheet) -> Iterator[Any]:
    for bars in place.panel.histograms:
        yield _bars(bars, place)
    if place.panel.plane:
        yield _plane(place.panel.plane, place, sheet)
    for line in place.panel.lines:
        if line.band:
            yield _band(line, place)
    for line in place.panel.lines:
        yield _line(line, place, sheet)
    for mark in place.panel.marks:
        yield _mark(mark, place, sheet)


def _bars(bars: Histogram, place: Place) -> go.Scatter:
    """The outline of the bars, filled."""
    edges, heights = bars.edges, bars.densities
    return go.Scatter(
        x=[edges[0], *(edge for edge in edges for _ in (0, 1)), edges[-1]][1:-1],
        y=[0.0, *(height for height in heights for _ in (0, 1)), 0.0],
        xaxis=place.axes["xaxis"],
        yaxis=place.axes["yaxis"] if bars.on_axis else f"y{place.number + HIDDEN_AXIS}",
        name=subscripted(bars.name),
        mode="lines",
        line={"width": 0},
        fill="tozeroy",
        fillcolor=transparent(GREY, 0.28),
        hoverinfo="skip",
    )


def _plane(plane: Plane, place: Place, sheet: Sheet) -> go.Heatmap:
    frame = place.frame
    bar: dict[str, Any] = {
        "title": {"text": subscripted(plane.name), "side": "right"},
        "x": frame.right + (label_width(place.panel, sheet.font_size) + 4) * frame.unit[0],
        "thickness": 0.9 * sheet.font_size,
        "thicknessmode": "pixels",
        "len": frame.top - frame.bottom,
        "y": (frame.top + frame.bottom) / 2,
        "xpad": 0,
        "outlinewidth": 0,
    }
    values: Sequence[Sequence[float | None]] = plane.values
    if plane.scale == "log":
        values = [[math.log10(v) if v > 0 else None for v in row] for row in plane.values]
        bar |= _ticks_of_logarithms(values)
    return go.Heatmap(
        x=plane.x,
        y=plane.y,
        z=values,
        customdata=plane.values,
        colorscale="Viridis",
        colorbar=bar,
        hovertemplate="%{x:.4g}, %{y:.4g}: %{customdata:.4g}<extra></extra>",
        **place.axes,
    )


def _ticks_of_logarithms(values: Sequence[Sequence[float | None]]) -> dict[str, Any]:
    """Round numbers beside a colour bar of logarithms."""
    known = [value for row in values for value in row if value is not None]
    ticks = log_ticks(10 ** min(known), 10 ** max(known))
    return ticks | {"tickvals": [math.log10(value) for value in ticks["tickvals"]]}


def _band(line: Line, place: Place) -> go.Scatter:
    assert line.band is not None
    known = [
        (x, low, high)
        for x, low, high in zip(line.x, line.band.low, line.band.high, strict=True)
        if low is not None and high is not None
    ]
    return go.Scatter(
        x=[x for x, _, _ in known] + [x for x, _, _ in reversed(known)],
        y=[low for _, low, _ in known] + [high for _, _, high in reversed(known)],
        name=subscripted(line.name),
        mode="lines",
        fill="toself",
        fillcolor=transparent(colour_of(line.colour), 0.2),
        line={"width": 0},
        hoverinfo="skip",
        **place.axes,
    )


def _line(line: Line, place: Place, sheet: Sheet) -> go.Scatter:
    runs = "" if line.n is None else f", n = {line.n}"
    alone = sum(y is not None for y in line.y) == 1
    colour = _colour(line, place.panel)
    return go.Scatter(
        x=line.x,
        y=line.y,
        name=subscripted(line.name),
        mode="markers" if alone else "lines",
        line={
            "color": colour,
            "dash": line.dash,
            "width": sheet.line_width,
            "simplify": False,  # else curves become polygons on paper
        },
        marker={"color": colour, "size": 7},
        hovertemplate=f"%{{x:.4g}}: %{{y:.4g}}{runs}",
        **place.axes,
    )


def _colour(line: Line, panel: Panel) -> str:
    """Over a plane, which has all colours, lines are white."""
    return "#FFFFFF" if panel.plane else colour_of(line.colour)


def _mark(mark: Mark, place: Place, sheet: Sheet) -> go.Scatter:
    size = 0.9 * sheet.font_size
    return go.Scatter(
        x=[mark.x],
        y=[mark.y],
        name=subscripted(mark.name),
        mode="markers",
        marker={"symbol": "x-thin", "size": size, "line": {"width": 2.5, "color": "#D55E00"}},
        hovertemplate="%{x:.4g}, %{y:.4g}",
        **place.axes,
    )


@dataclass(frozen=True)
class _Label:
    """A line's name: from where the line leaves the frame to where the name stands."""

    line: Line
    start: tuple[float, float]
    height: float


def _labels(place: Place, sheet: Sheet) -> list[_Label]:
    """Names in the order of the lines' ends, far enough apart to be read."""
    ends = [(line, *end) for line in place.panel.lines if line.name and (end := _end(line, place))]
    ends.sort(key=lambda item: item[2])
    step = LINE_SPACING * sheet.font_size * place.frame.unit[1]
    heights = spread([y for _, _, y in ends], step, place.frame.bottom, place.frame.top)
    return [_Label(line, (x, y), h) for (line, x, y), h in zip(ends, heights, strict=True)]


def _end(line: Line, place: Place) -> tuple[float, float] | None:
    """Where the last point that the frame shows lies on the sheet."""
    for x, y in zip(reversed(line.x), reversed(line.y), strict=True):
        if y is not None and math.isfinite(y) and place.x[0] <= x <= place.x[1]:
            return place.across(x), place.height_of(y)
    return None


def _notes(place: Place, sheet: Sheet) -> Iterator[dict[str, Any]]:
    """The panel's title, the names of its lines, histograms and marks."""
    frame = place.frame
    paper = {"xref": "paper", "yref": "paper", "showarrow": False, "align": "left"}
    if place.panel.title:
        yield {
            **paper,
            "x": frame.left,
            "y": frame.top,
            "xanchor": "left",
            "yanchor": "bottom",
            "text": f"<b>{subscripted(place.panel.title)}</b>",
        }
    for label in _labels(place, sheet):
        yield {
            **paper,
            "x": frame.right + LEADER * frame.unit[0],
            "y": label.height,
            "xanchor": "left",
            "yanchor": "middle",
            "text": subscripted(label.line.name),
        }
    for bars in place.panel.histograms:
        yield {**paper, **_over_bars(bars, place)}
    for mark in place.panel.marks:
        yield {**paper, **_beside(mark, place)}


def _over_bars(bars: Histogram, place: Place) -> dict[str, Any]:
    """A name over the highest bar; of several, the first leans left and the others right."""
    every, frame = place.panel.histograms, place.frame
    peak = max(range(len(bars.densities)), key=bars.densities.__getitem__)
    highest = max(max(one.densities) for one in every if not one.on_axis or bars.on_axis)
    share = HISTOGRAM_SHARE * bars.densities[peak] / highest
    top = frame.bottom + share * (frame.top - frame.bottom)
    crowded = len(every) > 1 and every[-1].edges[0] < every[0].edges[-1] - CROWDED
    anchor = "center" if not crowded else "right" if bars is every[0] else "left"
    return {
        "x": place.across((bars.edges[peak] + bars.edges[peak + 1]) / 2),
        "y": place.height_of(bars.densities[peak]) if bars.on_axis else top,
        "xanchor": anchor,
        "yanchor": "bottom",
        "text": f"<i>{subscripted(bars.name)}</i>",
        "font": {"color": "#808080"},
    }


def _beside(mark: Mark, place: Place) -> dict[str, Any]:
    """A mark's name, on the side where there is more room; on a plane it needs a ground."""
    x, y = place.across(mark.x), place.height_of(mark.y)
    is_left = x < (place.frame.left + place.frame.right) / 2
    shift = 9 * place.frame.unit[0] * (1 if is_left else -1)
    ground = {"font": {"color": "#FFFFFF"}, "bgcolor": "rgba(0,0,0,0.55)"}
    # A rising line leaves room below its marks on the right of them and above on the left.
    anchor = "middle" if place.panel.plane else "top" if is_left else "bottom"
    return {
        "x": x + shift,
        "y": y,
        "xanchor": "left" if is_left else "right",
        "yanchor": anchor,
        "text": subscripted(mark.name),
        **(ground if place.panel.plane else {}),
    }


def _leaders(place: Place, sheet: Sheet) -> Iterator[dict[str, Any]]:
    """From the end of each line to its name, in its colour; dotted where it crosses the panel."""
    right = place.frame.right
    for label in _labels(place, sheet):
        (x, y), end = label.start, right + (LEADER - 3) * place.frame.unit[0]
        look: dict[str, Any] = {
            "type": "path",
            "xref": "paper",
            "yref": "paper",
            "line": {"color": colour_of(label.line.colour), "width": 1},
        }
        yield {**look, "path": f"M {right:.5f} {y:.5f} L {end:.5f} {label.height:.5f}"}
        if x < right:
            across = f"M {x:.5f} {y:.5f} L {right:.5f} {y:.5f}"
            yield {**look, "path": across, "line": {**look["line"], "dash": "dot"}, "opacity": 0.6}
