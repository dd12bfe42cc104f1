"""`figures:` in a study: checked like the rest, recorded with it, and read back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from orchestrator.plan.expectations import Expectations
from orchestrator.plan.open import open_study
from orchestrator.plan.provenance import CodeVersion
from orchestrator.plan.records import study_record
from orchestrator.study.text import StudyError
from storage.attempt import StudyRecord
from storage.records.tables import RECORD_KEY, asks_the_same, study_table
from storage.records.tables import study_record as as_landed
from storage.reporting.spec import FigureSpec
from storage.standing.judgement import Known

STUDY = """
study: tiny
cell: {dataset: fashion-mnist-small, architecture: {name: mlp, hidden: [8]}, epochs: 2}
losses: {CE: ce, MAE: mae}
grid: {loss: all, learning_rate: [0.1, 0.2], noise.kind: symmetric, noise.rate: [0, 0.4]}
figures:
  learning: FIGURE
"""
SOUND = "{kind: epochs, panels: [learning_rate, noise.rate], x: steps, band: sd}"


def record(folder: Path, figure: str = SOUND, study: str = STUDY) -> StudyRecord:
    path = folder / "tiny.yaml"
    path.write_text(study.replace("FIGURE", figure))
    opened = open_study(path)
    here = Expectations(folder, frozenset())
    planned = here.planned(opened.study.name, opened.expand({}), Known())
    return study_record(opened, planned, "launch", CodeVersion("0", is_dirty=False))


@pytest.mark.parametrize(
    ("figure", "place", "words"),
    [
        ("{kind: epoch}", "kind", "must be one of epochs, axis, plane, not 'epoch'.*epochs"),
        ("{kind: epochs, bands: sd}", "bands", "unknown key.*band"),
        (
            "{kind: epochs, band: sdev}",
            "band",
            "must be one of sem, sd, interval, none, not 'sdev'",
        ),
        ("{kind: epochs, value: test_acuracy}", "value", "not 'test_acuracy'.*mean test_accuracy"),
        ("{kind: epochs, panels: noise.rat}", "panels", "no cell has a field.*noise.rate"),
        ("{kind: epochs, series: los}", "series", "no cell has a field 'los'.*loss"),
        ("{kind: epochs, dashed_by: learning}", "dashed_by", "no cell has a field.*learning_rate"),
        ("{kind: axis, x: noise.rates}", "x", "no cell has a field.*noise.rate"),
        ("{kind: plane, x: noise.rate, y: rate}", "y", "no cell has a field 'rate'"),
        ("{kind: axis, x: loss}", "x", "loss is no numeric field: a cell has 'CE'"),
        ("{kind: plane, x: noise.rate, y: loss}", "y", "loss is no numeric field"),
        ("{kind: axis, x: noise.rate, log: x}", "x", "log: noise.rate is 0 in a cell, not above 0"),
        ("{kind: epochs, where: {metric: 1}}", "where", "no cell has a field 'metric'"),
        ("{kind: epochs, phase: mian}", "phase", "no phase 'mian'.*main"),
        ("{kind: epochs, x: noise.rate}", "learning", "is epochs or steps, not 'noise.rate'"),
        ("{kind: axis}", "learning", "kind: axis needs x, a numeric field"),
        ("{kind: axis, x: noise.rate, y: learning_rate}", "learning", "y.*goes with kind: plane"),
        ("{kind: plane, x: noise.rate}", "learning", "y.*goes with kind: plane"),
        (
            "{kind: plane, x: noise.rate, y: learning_rate, series: loss}",
            "learning",
            "neither series nor dashed_by",
        ),
        ("{kind: epochs, select: best}", "learning", "select goes with kind: axis or plane"),
        (
            "{kind: axis, x: noise.rate, last_k: 2}",
            "learning",
            "last_k goes with select: mean_of_last",
        ),
        (
            "{kind: epochs, value: [test_loss, train_loss]}",
            "learning",
            "several values need metric in panels, series or dashed_by",
        ),
    ],
)
def test_what_is_wrong_is_told_at_its_place(
    tmp_path: Path, figure: str, place: str, words: str
) -> None:
    with pytest.raises(StudyError, match=words) as caught:
        record(tmp_path, figure)
    assert f"figures.learning{'' if place == 'learning' else '.' + place}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_record_keeps_the_figures(tmp_path: Path) -> None:
    found = record(tmp_path)
    assert as_landed(study_table(found)).figures == found.figures
    spec = found.figures["learning"]
    assert (spec.kind, spec.panels, spec.band) == ("epochs", ("learning_rate", "noise.rate"), "sd")


def test_a_plane_is_read_back(tmp_path: Path) -> None:
    found = record(tmp_path, "{kind: plane, x: noise.rate, y: learning_rate, panels: loss}")
    assert as_landed(study_table(found)).figures == found.figures


def test_the_record_knows_how_many_images_a_step_is_counted_from(tmp_path: Path) -> None:
    assert record(tmp_path).figures["learning"].train_images == {"fashion-mnist-small": 10_000}
    assert (
        record(tmp_path, "{kind: epochs, panels: [learning_rate, noise.rate]}")
        .figures["learning"]
        .train_images
        == {}
    )


def test_two_sizes_of_one_data_set_are_not_guessed_between(tmp_path: Path) -> None:
    sizes = "[{name: synthetic, images: 400}, {name: synthetic, images: 800}]"
    study = STUDY.replace("dataset: fashion-mnist-small, ", "").replace(
        "loss: all,", f"loss: all, dataset: {sizes},"
    )
    assert record(tmp_path, SOUND, study).figures["learning"].train_images == {}


def test_a_record_of_an_older_version_has_none(tmp_path: Path) -> None:
    table = study_table(record(tmp_path))
    facts = json.loads(table.schema.metadata[RECORD_KEY])
    del facts["figures"]
    old = table.replace_schema_metadata(
        {**table.schema.metadata, RECORD_KEY: json.dumps(facts).encode()}
    )
    assert isinstance(old, pa.Table)
    assert as_landed(old).figures == {}


def test_other_figures_are_another_record(tmp_path: Path) -> None:
    found = record(tmp_path)
    other = replace(found, figures={"learning": FigureSpec(kind="epochs")})
    assert not asks_the_same(study_table(found), study_table(other))
    assert asks_the_same(study_table(found), study_table(replace(other, figures=found.figures)))
