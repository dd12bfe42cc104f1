"""Declared figures: means by hand, what is missing, and what is never averaged."""

import json
import math

import pytest

from storage.reporting.evidence import gather
from storage.reporting.page import build_page
from storage.reporting.pictures import build_picture, is_drawn
from storage.reporting.render.json import render
from storage.reporting.report import build_report
from storage.reporting.spec import FigureSpec
from storage.reporting.table import TableError


def draw(sweep, **spec):
    figure = FigureSpec(**({"kind": "epochs"} | spec))
    evidence = gather(sweep, sweep.planned, figure.value)
    return build_picture("f", figure, sweep.planned, evidence)


def lines(picture):
    """Title of the panel, name of the line → the line."""
    return {(p.title, line.name): line for p in picture.panels for line in p.lines}


def run(sweep, axes, curves, **more):
    for seed, curve in enumerate(curves):
        sweep.finish(sweep.plan(axes, seed, **more), curve)


def test_curves_are_means_over_seeds(sweep):
    run(sweep, {"loss": "CE"}, [[0.1, 0.4], [0.3, 0.5], [0.5, 0.9]])
    (line,) = lines(draw(sweep)).values()
    assert line.x == (1, 2)
    assert line.y == pytest.approx((30, 60))
    # Sample standard deviations 20 and √700, divided by √3.
    assert line.band.high == pytest.approx((30 + 20 / 3**0.5, 60 + (700 / 3) ** 0.5))
    assert line.band.low == pytest.approx((30 - 20 / 3**0.5, 60 - (700 / 3) ** 0.5))
    assert line.n == 3


@pytest.mark.parametrize(
    ("band", "half"),
    [
        ("sem", 20 / 3**0.5),
        ("sd", 20),
        # The quantile of Student's t at 2 degrees of freedom, as printed in any table of it.
        ("interval", 4.302653 * 20 / 3**0.5),
    ],
)
def test_bands(sweep, band, half):
    run(sweep, {"loss": "CE"}, [[0.1], [0.3], [0.5]])
    (line,) = lines(draw(sweep, band=band)).values()
    assert line.band.high[0] - line.y[0] == pytest.approx(half, rel=1e-6)


def test_no_band_without_a_spread(sweep):
    run(sweep, {"loss": "CE"}, [[0.1]])
    picture = draw(sweep)
    assert lines(picture)["", "CE"].band is None
    assert "One run a point (n = 1), so no spread can be given." in picture.caption


def test_a_band_can_be_left_out(sweep):
    run(sweep, {"loss": "CE"}, [[0.1], [0.3]])
    assert lines(draw(sweep, band="none"))["", "CE"].band is None


def test_panels_series_and_dashes(sweep):
    for rate in ("0", "0.4"):
        for loss in ("MAE", "CE"):
            key = sweep.plan({"loss": loss, "noise.rate": rate})
            sweep.finish(key, [0.5], train_accuracy_noisy=[0.75])
    picture = draw(
        sweep,
        value=["train_accuracy_noisy", "test_accuracy"],
        panels="noise.rate",
        dashed_by="metric",
    )
    assert [panel.title for panel in picture.panels] == ["noise rate 0", "noise rate 0.4"]
    assert [panel.y.label for panel in picture.panels] == ["accuracy %"] * 2
    found = {name: line for (title, name), line in lines(picture).items() if "0.4" in title}
    assert {name: (line.colour, line.dash, line.y) for name, line in found.items()} == {
        "MAE": (0, "solid", (75,)),
        "CE": (1, "solid", (75,)),
        "MAE, test": (0, "dash", (50,)),
        "CE, test": (1, "dash", (50,)),
    }
    assert "Solid: training accuracy, noisy labels; dashed: test accuracy." in picture.caption
    assert "averages over the batches of an epoch" in picture.caption


def test_a_line_keeps_its_colour_where_another_is_absent(sweep):
    run(sweep, {"loss": "CE", "dataset": "a"}, [[0.1]])
    run(sweep, {"loss": "MAE", "dataset": "a"}, [[0.1]])
    run(sweep, {"loss": "MAE", "dataset": "b"}, [[0.1]])
    found = lines(draw(sweep, panels="dataset"))
    assert {line.colour for (_, name), line in found.items() if name == "MAE"} == {1}


def test_metrics_may_be_panels(sweep):
    key = sweep.plan({"loss": "CE"})
    sweep.finish(key, [0.5], test_loss=[1.5])
    picture = draw(sweep, value=["test_accuracy", "test_loss"], panels="metric")
    assert [(p.title, p.y.label) for p in picture.panels] == [
        ("test accuracy", "test accuracy %"),
        ("test loss", "test loss"),
    ]


def test_an_axis_shows_the_number_that_a_table_would(sweep):
    for q in ("0.7", "0.1", "0.4"):
        for seed in range(2):
            key = sweep.plan({"loss": "Lq", "loss.q": q}, seed)
            sweep.finish(key, [0.9, float(q) / 2 + seed / 10])
    picture = draw(sweep, kind="axis", x="loss.q")
    (line,) = lines(picture).values()
    assert line.x == (0.1, 0.4, 0.7)
    assert line.y == pytest.approx((10, 25, 40))
    assert line.band.high == pytest.approx((15, 30, 45))
    assert picture.panels[0].x.label == "q"
    best = draw(sweep, kind="axis", x="loss.q", select="best")
    assert lines(best)["", "Lq"].y == pytest.approx((90, 90, 90))
    assert "oracle" in best.caption


def test_an_axis_has_a_gap_where_nothing_ran(sweep):
    run(sweep, {"loss": "CE", "noise.rate": "0"}, [[0.5]])
    sweep.plan({"loss": "CE", "noise.rate": "0.4"})
    picture = draw(sweep, kind="axis", x="noise.rate")
    assert lines(picture)["", "CE"].y == (50, None)
    assert "1 of 2 cells is missing: CE, noise rate 0.4 (1 not run)." in picture.caption


def test_an_axis_of_words_is_refused(sweep):
    run(sweep, {"loss": "CE", "dataset": "a"}, [[0.5]])
    with pytest.raises(TableError, match="dataset is no numeric field: a cell has 'a'"):
        draw(sweep, kind="axis", x="dataset")


def test_a_plane_holds_the_means_of_its_grid(sweep):
    for a in ("1", "2"):
        for b in ("10", "5"):
            run(sweep, {"loss.a": a, "loss.b": b}, [[float(a) / 10], [float(b) / 100]])
    sweep.plan({"loss.a": "3", "loss.b": "5"})
    (panel,) = draw(sweep, kind="plane", x="loss.a", y="loss.b").panels
    assert (panel.plane.x, panel.plane.y) == ((1, 2, 3), (5, 10))
    assert panel.plane.values[0][:2] == pytest.approx((7.5, 12.5))
    assert panel.plane.values[1][:2] == pytest.approx((10, 15))
    assert math.isnan(panel.plane.values[0][2])
    assert (panel.x.label, panel.y.label) == ("a", "b")


def test_steps_are_counted_from_the_images_and_the_batch(sweep):
    cell = {"dataset": {"name": "cifar10"}, "batch_size": 128}
    run(sweep, {"loss": "CE"}, [[0.1, 0.2]], config=cell)
    picture = draw(sweep, x="steps", train_images={"cifar10": 50_000})
    # ⌈50,000 / 128⌉: the last, smaller batch is trained on as well.
    assert lines(picture)["", "CE"].x == (391, 782)
    assert picture.panels[0].x.label == "steps"


def test_a_part_of_the_images_has_fewer_steps(sweep):
    cell = {"dataset": {"name": "cifar10", "train_size": 5_000}, "batch_size": 128}
    run(sweep, {"loss": "CE"}, [[0.1]], config=cell)
    found = lines(draw(sweep, x="steps", train_images={"cifar10": 50_000}))
    assert found["", "CE"].x == (40,)


def test_epochs_stand_in_for_steps_that_nobody_knows(sweep):
    run(sweep, {"loss": "CE"}, [[0.1]], config={"dataset": {"name": "own"}, "batch_size": 10})
    picture = draw(sweep, x="steps")
    assert lines(picture)["", "CE"].x == (1,)
    assert "The axis counts epochs, since the number of steps" in picture.caption


def test_missing_cells_are_named_with_where_they_stand(sweep):
    run(sweep, {"loss": "CE"}, [[0.5], [0.6]])
    run(sweep, {"loss": "MAE"}, [[0.5]])
    sweep.fail(sweep.plan({"loss": "MAE"}, 1))
    sweep.plan({"loss": "IMAE"}, 0)
    sweep.plan({"loss": "IMAE"}, 1)
    picture = draw(sweep)
    assert list(lines(picture)) == [("", "CE"), ("", "MAE")]
    assert "3 of 6 cells are missing: MAE (1 failed); IMAE (2 not run). " in picture.caption + " "
    assert "Means over n = 1 to 2 runs" in picture.caption


def test_a_figure_without_results_is_its_caption(sweep):
    sweep.plan({"loss": "CE"})
    picture = draw(sweep)
    assert not is_drawn(picture)
    assert "1 of 1 cells is missing" in picture.caption


def test_skipped_cells_are_not_missing(sweep):
    run(sweep, {"loss": "CE"}, [[0.5]])
    sweep.plan({"loss": "MAE"}, skipped="too slow")
    assert "missing" not in draw(sweep).caption


def test_cells_of_differing_settings_are_never_averaged(sweep):
    run(sweep, {"loss": "CE", "noise.rate": "0"}, [[0.9]])
    run(sweep, {"loss": "CE", "noise.rate": "0.4"}, [[0.5]])
    words = (
        r"loss=CE differ in more than the seed: noise.rate \(0, 0.4\); "
        "put these into panels, series, dashed_by, where or phase"
    )
    with pytest.raises(TableError, match=words):
        draw(sweep)


def test_metrics_without_a_common_unit_share_no_panel(sweep):
    run(sweep, {"loss": "CE"}, [[0.5]])
    with pytest.raises(TableError, match="share no unit; put metric into panels"):
        draw(sweep, value=["test_accuracy", "test_loss"], dashed_by="metric")


def test_where_and_the_note_stand_in_the_caption(sweep):
    run(sweep, {"loss": "CE"}, [[0.5]])
    run(sweep, {"loss": "MAE"}, [[0.5]])
    picture = draw(sweep, where={"loss": "CE"}, note="As printed.")
    assert list(lines(picture)) == [("", "CE")]
    assert "Shown: loss = CE." in picture.caption
    assert picture.caption.endswith("As printed.")


def test_runs_made_in_different_ways_are_told(sweep):
    keys = sweep.run("CE", "0", [0.5, 0.6])
    for key, device in zip(keys, ("CPU", "GPU"), strict=True):
        sweep.made[key] = ("v", False, device, "{}", 1, 1, None)
    assert "Some means mix devices." in draw(sweep).caption


def test_a_report_draws_what_it_can(sweep, tmp_path):
    run(sweep, {"loss": "CE", "noise.rate": "0"}, [[0.9]])
    run(sweep, {"loss": "CE", "noise.rate": "0.4"}, [[0.5]])
    sweep.figures = {
        "good": FigureSpec(kind="epochs", panels="noise.rate", value="train_loss"),
        "bad": FigureSpec(kind="epochs"),
    }
    report = build_report(sweep, "sweep", tmp_path)
    assert [picture.name for picture in report.pictures] == ["good"]
    (problem,) = report.problems
    assert problem.table == "figure bad"
    assert "differ in more than the seed" in problem.message


def test_a_line_does_not_name_fields_that_it_lacks(sweep):
    run(sweep, {"loss": "Lq", "loss.q": "0.7"}, [[0.5]])
    run(sweep, {"loss": "CE"}, [[0.5]])
    assert [name for _, name in lines(draw(sweep, series=["loss", "loss.q"]))] == [
        "Lq, q 0.7",
        "CE",
    ]


def test_the_page_shows_the_figure_its_caption_and_what_has_no_result(sweep, tmp_path):
    run(sweep, {"loss": "CE", "noise.rate": "0"}, [[0.5, 0.6]])
    sweep.plan({"loss": "CE", "noise.rate": "0.4"})
    sweep.figures = {
        "drawn": FigureSpec(
            title="A </script> of one's own", kind="epochs", where={"noise.rate": 0}
        ),
        "empty": FigureSpec(title="Nothing yet", kind="epochs", where={"noise.rate": 0.4}),
    }
    page = build_page(sweep, build_report(sweep, "sweep", tmp_path))
    assert page.count('class="figure"') == 1
    assert "<h2>A &lt;/script&gt; of one&#x27;s own</h2>" in page
    assert "<h2>Nothing yet</h2>" in page
    assert page.count('<p class="caption">Top-1 accuracy on the test split') == 2
    assert "1 of 1 cells is missing" in page


def test_json_holds_the_numbers_of_the_figures(sweep, tmp_path):
    run(sweep, {"loss": "CE", "loss.a": "1", "loss.b": "1"}, [[0.5]])
    sweep.plan({"loss": "CE", "loss.a": "2", "loss.b": "1"})
    sweep.figures = {
        "curves": FigureSpec(kind="epochs", panels=["loss.a", "loss.b"]),
        "plane": FigureSpec(kind="plane", x="loss.a", y="loss.b"),
    }
    tree = json.loads(render(build_report(sweep, "sweep", tmp_path)))
    curves, plane = tree["figures"]
    assert curves["panels"][0]["lines"][0]["y"] == [50]
    assert plane["panels"][0]["plane"]["values"] == [[50, None]]


def test_an_interval_does_not_stretch_the_axis_beyond_all_shares(sweep):
    run(sweep, {"loss": "CE"}, [[0.1, 0.3], [0.9, 0.5]])
    picture = draw(sweep, band="interval")
    assert lines(picture)["", "CE"].band.low[0] < -400
    # 0 to 100 with 6 % of it on both sides.
    assert picture.panels[0].y.limits == pytest.approx((-6, 106))
    assert draw(sweep).panels[0].y.limits is None


def test_the_outer_cells_of_a_plane_are_whole(sweep):
    for a in ("0.01", "0.1", "1"):
        for b in ("0", "10"):
            run(sweep, {"loss.a": a, "loss.b": b}, [[0.5]])
    (panel,) = draw(sweep, kind="plane", x="loss.a", y="loss.b", log="x").panels
    assert (panel.x.scale, panel.y.scale) == ("log", "linear")
    assert panel.x.limits == pytest.approx((0.01 / 10**0.5, 10**0.5))
    assert panel.y.limits == pytest.approx((-5, 15))


def test_zero_has_no_place_on_a_logarithmic_axis(sweep):
    run(sweep, {"loss": "CE", "noise.rate": "0"}, [[0.5]])
    with pytest.raises(TableError, match=r"log: x is impossible, since noise\.rate is not always"):
        draw(sweep, kind="axis", x="noise.rate", log="x")
