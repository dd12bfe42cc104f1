"""A picture becomes a figure that shows its numbers, and a CSV that holds them."""

import csv
import io
import json
from itertools import pairwise

import pytest

from storage.reporting.figures.drawing import draw
from storage.reporting.figures.picture import (
    Axis,
    Band,
    Histogram,
    Line,
    Mark,
    Panel,
    Picture,
    Plane,
)
from storage.reporting.figures.picture_csv import COLUMNS, picture_csv
from storage.reporting.figures.sheet import COLUMN, SCREEN, arrange
from storage.reporting.figures.spreading import spread
from storage.reporting.figures.ticks import log_ticks

HOSTILE = "<b>x</b> %{y}"


def picture(*panels, num_columns=2):
    return Picture("name", "title", "caption", panels, num_columns)


def panel(*lines, x=None, y=None, **parts):
    return Panel("a", x or Axis("labelled logit z_k"), y or Axis("y"), lines, **parts)


def line(name="one", y=(0.0, 1.0), x=(0.0, 1.0), colour=0, **parts):
    return Line(name, x, y, colour, **parts)


def named(figure, name):
    return [trace for trace in figure.data if trace.name == name]


def texts(figure):
    return [note.text for note in figure.layout.annotations]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ([], []),
        ([5.0], [5.0]),
        ([1.0, 5.0], [1.0, 5.0]),
        ([5.0, 5.0], [4.5, 5.5]),
        ([0.0, 0.0, 0.0], [0.0, 1.0, 2.0]),
        ([9.9, 10.0], [9.0, 10.0]),
        ([2.0, 2.1, 2.2, 9.0], [1.1, 2.1, 3.1, 9.0]),
        ([5.0] * 21, [0.5 * place for place in range(21)]),
    ],
)
def test_labels_keep_apart_and_near(wanted, expected):
    assert spread(wanted, 1.0, 0.0, 10.0) == pytest.approx(expected)


def test_every_line_is_named_at_its_end_and_no_two_names_overlap():
    lines = [line(f"loss {i}", y=(0.0, 1 + i / 1000), colour=i) for i in range(9)]
    figure = draw(picture(panel(*lines, line("low", y=(0.5, 0.0)))))
    names = {n.text: n for n in figure.layout.annotations if n.text != "<b>a</b>"}
    assert set(names) == {"low", *(f"loss {i}" for i in range(9))}
    heights = sorted(note.y * figure.layout.height for note in names.values())
    assert min(high - low for low, high in pairwise(heights)) >= SCREEN.font_size
    in_order = [names[f"loss {i}"].y for i in range(9)]
    assert in_order == sorted(in_order)
    assert all(note.x > figure.layout.xaxis.domain[1] for note in names.values())


def test_panels_stand_side_by_side_or_below_each_other_on_a_narrow_sheet():
    both = picture(panel(line()), panel(line()))
    wide, narrow = arrange(both, SCREEN), arrange(both, COLUMN)
    assert wide.frames[0].right < wide.frames[1].left
    assert wide.frames[0].top == wide.frames[1].top
    assert narrow.frames[0].bottom > narrow.frames[1].top
    assert draw(both, COLUMN).layout.width == COLUMN.width
    assert draw(both).layout.width is None
    for arrangement in (wide, narrow):
        for frame in arrangement.frames:
            assert 0 <= frame.left < frame.right <= 1
            assert 0 <= frame.bottom < frame.top <= 1


def test_a_gap_and_a_band_are_drawn_as_they_are():
    whole = line(y=(1.0, None, 3.0), x=(0.0, 1.0, 2.0), n=5, dash="dash")
    banded = line("two", y=(1.0, 2.0), band=Band((0.5, None), (1.5, None)), colour=1)
    figure = draw(picture(panel(whole, banded)))
    (drawn,) = named(figure, "one")
    assert drawn.y == (1.0, None, 3.0)
    assert drawn.line.dash == "dash"
    assert "n = 5" in drawn.hovertemplate
    band, mean = named(figure, "two")
    assert band.fill == "toself"
    assert band.x == (0.0, 0.0)
    assert band.y == (0.5, 1.5)
    assert mean.line.color != drawn.line.color


def test_bars_lie_behind_the_lines_on_an_axis_that_is_not_shown():
    bars = Histogram("initial logits", (0.0, 0.5, 1.0), (0.4, 1.6))
    figure = draw(picture(panel(line(), histograms=(bars,))))
    (drawn,) = named(figure, "initial logits")
    assert drawn.x == (0.0, 0.0, 0.5, 0.5, 1.0, 1.0)
    assert drawn.y == (0.0, 0.4, 0.4, 1.6, 1.6, 0.0)
    assert drawn.yaxis == "y101"
    assert figure.layout.yaxis101.visible is False
    assert figure.layout.yaxis.overlaying == "y101"
    assert "<i>initial logits</i>" in texts(figure)


def test_bars_that_are_read_on_the_axis_share_it_with_the_lines():
    bars = Histogram("logits", (0.0, 0.5, 1.0), (0.4, 1.6), on_axis=True)
    figure = draw(picture(panel(line(), histograms=(bars,))))
    assert {trace.yaxis for trace in figure.data} == {"y"}
    low, high = figure.layout.yaxis.range
    assert low < 0 < 1.6 < high
    (name,) = [note for note in figure.layout.annotations if "logits" in note.text]
    bottom, top = figure.layout.yaxis.domain
    assert (name.y - bottom) / (top - bottom) == pytest.approx((1.6 - low) / (high - low))


def test_a_plane_shows_its_values_with_its_line_and_its_cross():
    plane = Plane("error", (1.0, 2.0, 3.0), (1.0, 2.0), ((0.1, 1.0, 10.0), (1.0, 10.0, 0.0)), "log")
    cross = Mark("chosen", 2.0, 1.5)
    figure = draw(picture(panel(line("level", dash="dash"), plane=plane, marks=(cross,))))
    heat, level, mark = figure.data
    assert [list(row) for row in heat.z] == [[-1.0, 0.0, 1.0], [0.0, 1.0, None]]
    assert list(heat.colorbar.ticktext) == ["0.1", "0.2", "0.5", "1", "2", "5", "10"]
    assert level.line.dash == "dash"
    assert (mark.x, mark.y) == ((2.0,), (1.5,))
    assert {"chosen", "level"} <= set(texts(figure))


def test_log_axes_and_limits_are_in_the_units_of_the_data():
    axis = Axis("K", "log", (1.0, 1000.0))
    figure = draw(picture(panel(line(x=(1.0, 1000.0)), x=axis)))
    assert figure.layout.xaxis.type == "log"
    assert figure.layout.xaxis.range == (0.0, 3.0)
    assert figure.layout.xaxis.ticktext == ("1", "10", "100", "1,000")
    assert log_ticks(2e-6, 6e-6)["ticktext"] == ["2×10<sup>-6</sup>", "5×10<sup>-6</sup>"]


def test_names_do_nothing_and_an_index_stands_below_the_line():
    figure = draw(picture(panel(line(HOSTILE))))
    assert "<b>x" not in json.dumps([trace.name for trace in figure.data])
    assert "&lt;b&gt;x&lt;/b&gt; %{y}" in texts(figure)
    assert figure.layout.xaxis.title.text == "labelled logit z<sub>k</sub>"


def test_a_picture_without_a_point_is_drawn_empty():
    empty = picture(panel(line(y=(None, None))), panel())
    assert len(draw(empty).data) == 1
    assert texts(draw(empty)) == ["<b>a</b>", "<b>a</b>"]


def test_the_csv_holds_every_point():
    plane = Plane("error", (1.0, 2.0), (5.0,), ((0.1, 0.2),))
    shown = picture(
        panel(
            line("=one", y=(0.1, None), band=Band((0.0, None), (0.2, None)), n=3),
            histograms=(Histogram("bars", (0.0, 1.0), (0.25,)),),
            plane=plane,
            marks=(Mark("cross", 1.0, 2.0),),
        )
    )
    rows = list(csv.DictReader(io.StringIO(picture_csv(shown))))
    assert tuple(rows[0]) == COLUMNS
    assert [tuple(row.values())[1:] for row in rows] == [
        ("line", "'=one", "0.0", "0.1", "0.0", "0.2", "3", ""),
        ("line", "'=one", "1.0", "", "", "", "3", ""),
        ("histogram", "bars", "0.5", "0.25", "0.0", "1.0", "", ""),
        ("plane", "error", "1.0", "5.0", "", "", "", "0.1"),
        ("plane", "error", "2.0", "5.0", "", "", "", "0.2"),
        ("mark", "cross", "1.0", "2.0", "", "", "", ""),
    ]
