"""Figures show the numbers of the tables, and names do nothing in them."""

import pytest

from storage.reporting.curves import mean_curve, table_curves
from storage.reporting.evidence import gather
from storage.reporting.figures import learning_curves, learning_rate, noise_rate
from storage.reporting.figures.learning_curves import MetricCurves
from storage.reporting.figures.lines import lines_over
from storage.reporting.gallery import study_figures
from storage.reporting.report import build_report
from storage.reporting.spec import TableSpec
from storage.reporting.table import build_table

HOSTILE = "<b>x</b> %{y}"


def draw(sweep, spec=None):
    spec = spec or TableSpec()
    return build_table("t", spec, sweep.planned, gather(sweep, sweep.planned, [spec.value]))


def test_mean_curve_over_runs():
    curve = mean_curve([[0.1, 0.3], [0.3, 0.5, 0.9]], 100)
    assert curve.mean == pytest.approx((20.0, 40.0))
    assert curve.sem == pytest.approx((10.0, 10.0))
    assert curve.n == 2


def test_a_mean_curve_does_not_pass_over_an_undefined_run():
    assert mean_curve([[0.1, None], [0.3, 0.5]], 1).mean == (pytest.approx(0.2), None)
    assert mean_curve([[0.1]], 1).sem == (None,)


def test_table_curves_leave_out_entries_without_a_result(sweep):
    sweep.run("CE", "0", [0.5, 0.7])
    sweep.plan({"loss": "MAE", "noise.rate": "0"})
    curves = table_curves(draw(sweep), "test_accuracy", sweep.curves(list(sweep.numbers), "x"))
    assert list(curves) == [(("CE",), ("0",))]
    assert curves[("CE",), ("0",)].mean == pytest.approx((10.0, 60.0))


def test_lines_run_in_order_of_the_axis_and_skip_missing_entries(sweep):
    for rate in ("0.4", "0", "0.2"):
        sweep.run("CE", rate, [0.5])
    sweep.plan({"loss": "CE", "noise.rate": "0.1"})
    (line,) = lines_over(draw(sweep), "noise.rate")
    assert line.header == ("CE",)
    assert [x for x, _ in line.points] == [0.0, 0.2, 0.4]


def test_noise_rate_figure_has_means_errors_and_a_point_per_seed(sweep):
    sweep.run("CE", "0", [0.8, 0.9, 1.0])
    sweep.run("CE", "0.4", [0.5, 0.6, 0.7])
    means, seeds = noise_rate.figure(draw(sweep)).data
    assert list(means.y) == pytest.approx([90.0, 60.0])
    assert list(means.error_y.array) == pytest.approx([5.7735, 5.7735], rel=1e-4)
    assert list(seeds.y) == pytest.approx([80, 90, 100, 50, 60, 70])


def test_one_noise_rate_is_no_figure(sweep):
    sweep.run("CE", "0", [0.8])
    assert not noise_rate.spans_noise_rate(draw(sweep))
    assert not noise_rate.spans_noise_rate(draw(sweep, TableSpec(columns=("loss",), rows=())))
    sweep.run("CE", "0.4", [0.8])
    assert noise_rate.spans_noise_rate(draw(sweep))


def test_learning_rate_figure_marks_the_pick(sweep, make_pick):
    for loss in ("CE", "MAE"):
        for rate in ("0.01", "0.1"):
            axes = {"loss": loss, "learning_rate": rate}
            sweep.finish(sweep.plan(axes, phase="search"), [float(rate)])
    table = draw(sweep, TableSpec(columns=("learning_rate",), phase="search"))
    drawn = learning_rate.figure(table, [make_pick()])
    stars = [trace for trace in drawn.data if trace.name == "picked"]
    assert [(star.x, star.y) for star in stars] == [((0.1,), (10.0,))]
    assert drawn.layout.xaxis.type == "log"


def test_learning_curves_show_one_column_at_a_time(sweep):
    for rate in ("0", "0.4"):
        sweep.run("CE", rate, [0.5, 0.7])
    table = draw(sweep)
    curves = table_curves(table, "test_accuracy", sweep.curves(list(sweep.numbers), "x"))
    drawn = learning_curves.figure(table, [MetricCurves("test accuracy %", curves)])
    assert [trace.visible for trace in drawn.data] == [False, False, True, True]
    first, _ = drawn.layout.updatemenus[0].buttons
    assert first.label == "noise.rate 0"
    assert list(first.args[1]) == [True, True, False, False]


def test_names_are_text_in_every_figure(sweep, make_pick):
    for rate in ("0", "0.4"):
        sweep.run(HOSTILE, rate, [0.5, 0.7])
    table = draw(sweep)
    curves = table_curves(table, "test_accuracy", sweep.curves(list(sweep.numbers), "x"))
    panels = [MetricCurves("test accuracy %", curves), MetricCurves("memorised %", curves)]
    for drawn in (noise_rate.figure(table), learning_curves.figure(table, panels)):
        names = {trace.name for trace in drawn.data if trace.name}
        assert names == {"&lt;b&gt;x&lt;/b&gt; %{y}"}
        assert not any("x&lt;" in (trace.hovertemplate or "") for trace in drawn.data)


def test_a_search_is_drawn_in_the_metric_that_it_compared(sweep, make_pick, tmp_path):
    for rate in ("0.01", "0.1"):
        sweep.finish(sweep.plan({"loss": "CE", "learning_rate": rate}, phase="search"), [0.5])
    sweep.chosen = [make_pick(metric="test_loss")]
    (drawn,) = study_figures(sweep, build_report(sweep, "sweep", tmp_path)).values()
    assert drawn.layout.yaxis.title.text.strip() == "test_loss"


def test_a_search_over_more_than_the_picked_field_has_no_single_line(sweep, make_pick, tmp_path):
    """No seed stands twice, and still one mean over both noise rates would mean nothing."""
    for seed, noise in enumerate(("0", "0.4")):
        for rate in ("0.01", "0.1"):
            axes = {"loss": "CE", "learning_rate": rate, "noise.rate": noise}
            sweep.finish(sweep.plan(axes, seed, phase="search"), [0.5])
    sweep.chosen = [make_pick()]
    assert study_figures(sweep, build_report(sweep, "sweep", tmp_path)) == {}
