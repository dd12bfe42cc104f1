"""Figures for a paper, and the report in a notebook."""

import importlib.util
import shutil
from dataclasses import replace

import plotly.graph_objects as go
import pytest

from storage.landing import land_attempt, land_study
from storage.reporting.images import ImageError, write_figures
from storage.reporting.report import StudyNotFoundError, build_report
from storage.reporting.spec import TableSpec
from storage.store import Store
from tests.storage.conftest import attempt_of

HAS_BROWSER = importlib.util.find_spec("kaleido") and shutil.which("chromium")


@pytest.fixture
def results(sweep):
    sweep.tables = {"accuracy": TableSpec()}
    for noise in ("0", "0.4"):
        sweep.run("CE", noise, [0.7, 0.8])
    return sweep


@pytest.mark.slow
@pytest.mark.skipif(not HAS_BROWSER, reason="no kaleido with a browser here")
@pytest.mark.parametrize(("form", "start"), [("svg", b"<svg"), ("png", b"\x89PNG")])
def test_every_figure_becomes_a_file(results, tmp_path, form, start):
    paths = list(
        write_figures(results, build_report(results, "sweep", tmp_path), tmp_path / "figures", form)
    )
    assert [path.suffix for path in paths] == [f".{form}"] * len(paths)
    assert len(paths) == len(set(paths)) >= 2
    for path in paths:
        assert path.read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("kaleido is not there"), r"need kaleido: pip install"),
        (RuntimeError("no browser\nat all"), "need an installed Chrome or Chromium: no browser$"),
    ],
)
def test_what_is_missing_is_said(results, tmp_path, monkeypatch, error, words):
    def fail(*_args, **_options):
        raise error

    monkeypatch.setattr(go.Figure, "to_image", fail)
    with pytest.raises(ImageError, match=words):
        list(write_figures(results, build_report(results, "sweep", tmp_path), tmp_path, "png"))


def test_a_notebook_shows_tables(root, study):
    for index in range(7):
        land_attempt(root, attempt_of(index))
    land_study(root, replace(study, planned=study.planned[:5]))
    shown = Store(root).table("quickstart")
    assert "<table>" in shown._repr_html_()
    assert str(shown).startswith("# quickstart")
    only = Store(root).table("quickstart", "accuracy")
    assert [table.name for table in only.report.tables] == ["accuracy"]
    with pytest.raises(KeyError, match="accuracy"):
        Store(root).table("quickstart", "nothing")
    with pytest.raises(StudyNotFoundError):
        Store(root).table("another")
