"""The sources' figures of results: declared in their studies, found by name in a store."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.figures.result_figures import RESULT_FIGURES, ResultFigureError, result_picture
from orchestrator.plan.open import open_study
from storage import Store
from storage.reporting.spec import FigureSpec
from tests.orchestrator.conftest import Shelf

STUDIES = Path(__file__).parents[3] / "studies"


@pytest.mark.parametrize("name", RESULT_FIGURES)
def test_the_study_declares_the_figure(name: str) -> None:
    study = open_study(STUDIES / f"{RESULT_FIGURES[name]}.yaml").study
    assert study.name == RESULT_FIGURES[name]
    assert study.figures[name].title


def test_every_figure_of_a_source_is_in_the_list() -> None:
    declared = {
        name: path.stem
        for path in sorted(STUDIES.glob("*.yaml"))
        for name in open_study(path).study.figures
    }
    assert declared == RESULT_FIGURES


def test_a_store_without_the_study_says_what_to_launch(tmp_path: Path) -> None:
    words = r"^imae-fig3 is drawn from results of imae_table2.*: launch studies/imae_table2\.yaml$"
    with pytest.raises(ResultFigureError, match=words):
        result_picture("imae-fig3", Store(tmp_path))


def test_an_unknown_name_has_a_nearest(tmp_path: Path) -> None:
    with pytest.raises(
        ResultFigureError, match=r"unknown figure 'imae-fg3', did you mean 'imae-fig3'\?$"
    ):
        result_picture("imae-fg3", Store(tmp_path))


TEST = {"imae-fig4": FigureSpec(kind="epochs")}


def test_a_figure_is_drawn_with_what_is_there(shelf: Shelf) -> None:
    cells = [("CCE", shelf.cell("ce")), ("MAE", shelf.cell("mae"))]
    shelf.result(cells[0][1], accuracy=0.75)
    shelf.study("imae_table2", cells, figures=TEST)
    picture = result_picture("imae-fig4", shelf.store)
    (line,) = picture.panels[0].lines
    assert (line.name, line.x, line.y, line.n) == ("CCE", (1, 2), (25, 75), 1)
    assert "1 of 2 cells is missing: MAE (1 not run)." in picture.caption


def test_a_figure_without_any_result_says_what_to_launch(shelf: Shelf) -> None:
    shelf.study("imae_table2", [("CCE", shelf.cell("ce"))], figures=TEST)
    words = r"^no cell that imae-fig4 shows has a result: launch studies/imae_table2\.yaml$"
    with pytest.raises(ResultFigureError, match=words):
        result_picture("imae-fig4", shelf.store)


def test_a_study_launched_before_it_had_the_figure(shelf: Shelf) -> None:
    shelf.study("imae_table2", [("CCE", shelf.cell("ce"))])
    with pytest.raises(ResultFigureError, match="was launched without the figure imae-fig4"):
        result_picture("imae-fig4", shelf.store)


def test_a_figure_of_ones_own_is_found_by_its_name(shelf: Shelf) -> None:
    cell = shelf.cell("ce")
    shelf.result(cell)
    shelf.study("mine", [("CE", cell)], figures={"curves": FigureSpec(kind="epochs")})
    assert result_picture("curves", shelf.store).name == "curves"
    shelf.study("other", [("CE", cell)], figures={"curves": FigureSpec(kind="epochs")})
    with pytest.raises(
        ResultFigureError, match="several studies have a figure curves: mine, other"
    ):
        result_picture("curves", shelf.store)


def test_a_figure_that_cannot_be_drawn_says_why(shelf: Shelf) -> None:
    cells = [("CE", shelf.cell("ce", rate=rate)) for rate in (0.2, 0.4)]
    shelf.study("imae_table2", cells, figures=TEST)
    with pytest.raises(ResultFigureError, match="differ in more than the seed"):
        result_picture("imae-fig4", shelf.store)


def test_the_verb_draws_from_the_store(shelf: Shelf, tmp_path: Path) -> None:
    cells = [("CCE", shelf.cell("ce")), ("MAE", shelf.cell("mae"))]
    shelf.result(cells[0][1], accuracy=0.75)
    shelf.study("imae_table2", cells, figures=TEST)
    out = tmp_path / "fig.csv"
    told = CliRunner().invoke(
        app, ["figure", "imae-fig4", "--store", str(shelf.root), "--out", str(out)]
    )
    assert told.exit_code == 0, told.output
    assert "1 of 2 cells is missing: MAE (1 not run)." in told.output
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert [(float(row["x"]), float(row["y"])) for row in rows] == [(1, 25), (2, 75)]


def test_the_verb_says_in_one_line_what_to_launch(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["figure", "imae-fig3", "--store", str(tmp_path / "none")])
    assert told.exit_code == 2
    assert told.output.count("\n") == 1
    assert told.output.endswith("launch studies/imae_table2.yaml\n")
