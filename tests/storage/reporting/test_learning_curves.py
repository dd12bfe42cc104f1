"""Learning curves show the metric of their own table, and nothing twice."""

import pytest

from storage.reporting.gallery import study_figures
from storage.reporting.report import build_report
from storage.reporting.spec import FigureSpec, TableSpec

CURVES = {
    "train_accuracy_noisy": [0.1, 0.2],
    "train_accuracy_clean": [0.3, 0.4],
    "test_top5_accuracy": [0.7, 0.8],
    "test_loss": [2.0, 1.0],
    "memorization": [0.05, 0.15],
}


@pytest.fixture
def finished(sweep):
    """One run with another curve for each metric."""
    key = sweep.plan({"loss": "CE", "noise.rate": "0.4"})
    sweep.finish(key, [0.5, 0.6], **CURVES)
    return sweep


def drawn(sweep, tmp_path):
    """Title → label of each panel → what its one line shows."""
    figures = study_figures(sweep, build_report(sweep, "sweep", tmp_path))
    return {title.split(":")[0]: panels(figure) for title, figure in figures.items()}


def panels(figure):
    traces = [trace for trace in figure.data if trace.mode == "lines"]
    axes = [figure.layout[trace.yaxis.replace("y", "yaxis")] for trace in traces]
    return {axis.title.text: list(trace.y) for axis, trace in zip(axes, traces, strict=True)}


@pytest.mark.parametrize(
    ("metric", "label", "values"),
    [
        ("train_accuracy_noisy", "training accuracy, noisy labels %", [10, 20]),
        ("train_accuracy_clean", "training accuracy, true labels %", [30, 40]),
        ("test_top5_accuracy", "top-5 test accuracy %", [70, 80]),
        ("test_loss", "test loss", [2, 1]),
    ],
)
def test_a_table_has_the_curves_of_its_own_metric(finished, tmp_path, metric, label, values):
    finished.tables = {"t": TableSpec(value=metric)}
    assert drawn(finished, tmp_path) == {"t": {label: pytest.approx(values)}}


def test_tables_of_one_content_have_one_figure(finished, tmp_path):
    """The four tables of a published one: two of test accuracy, two of training accuracy."""
    finished.tables = {
        "final": TableSpec(),
        "best": TableSpec(select="best"),
        "corrupted": TableSpec(value="train_accuracy_noisy"),
        "intact": TableSpec(value="train_accuracy_clean"),
    }
    assert drawn(finished, tmp_path) == {
        "final": {
            "test accuracy %": pytest.approx([50, 60]),
            "memorised wrong labels %": pytest.approx([5, 15]),
        },
        "corrupted": {"training accuracy, noisy labels %": pytest.approx([10, 20])},
        "intact": {"training accuracy, true labels %": pytest.approx([30, 40])},
    }


def test_tables_of_other_runs_are_not_the_same(finished, tmp_path):
    other = finished.plan({"loss": "CE", "noise.rate": "0"})
    finished.finish(other, [0.8, 0.9], memorization=[None, None])
    finished.tables = {
        "noisy": TableSpec(where={"noise.rate": 0.4}),
        "clean": TableSpec(where={"noise.rate": 0}),
    }
    found = drawn(finished, tmp_path)
    assert list(found) == ["noisy", "clean"]
    assert found["clean"] == {"test accuracy %": pytest.approx([80, 90])}


def test_memorisation_with_a_table_of_its_own_is_drawn_there(finished, tmp_path):
    finished.tables = {"accuracy": TableSpec(), "memory": TableSpec(value="memorization")}
    assert [list(panels) for panels in drawn(finished, tmp_path).values()] == [
        ["test accuracy %"],
        ["memorised wrong labels %"],
    ]


def test_a_study_with_figures_has_the_curves_that_it_declares(finished, tmp_path):
    finished.tables = {"t": TableSpec()}
    finished.figures = {"f": FigureSpec(kind="epochs")}
    assert drawn(finished, tmp_path) == {}
