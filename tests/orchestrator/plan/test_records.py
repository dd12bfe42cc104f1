"""What a launch says of the record before its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.plan.expectations import Expectations
from orchestrator.plan.open import open_study
from orchestrator.plan.provenance import CodeVersion
from orchestrator.plan.records import moved_note, study_record
from storage import Store
from storage.landing import land_study
from storage.standing.judgement import Known

TEXT = """
study: tiny
cell:
  dataset: fashion-mnist-small
  architecture: {name: mlp, hidden: [8]}
  learning_rate: 0.1
  epochs: 2
grid: {loss: [CE]}
losses: {CE: ce}
"""


def record(path: Path, text: str):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    opened = open_study(path)
    here = Expectations(path.parent, frozenset())
    planned = here.planned(opened.study.name, opened.expand({}), Known())
    return study_record(opened, planned, "launch", CodeVersion("0", is_dirty=False))


def test_two_files_with_one_name_are_told(tmp_path: Path) -> None:
    first = record(tmp_path / "a" / "tiny.yaml", TEXT)
    second = record(tmp_path / "b" / "tiny.yaml", TEXT.replace("epochs: 2", "epochs: 3"))
    assert moved_note((), first) is None
    land_study(tmp_path / "store", first)
    versions = Store(tmp_path / "store").study_versions("tiny")
    assert moved_note(versions, second) == (
        f"study 'tiny' was last recorded from {tmp_path}/a/tiny.yaml; both stay in the history"
    )
    land_study(tmp_path / "store", second)
    again = Store(tmp_path / "store").study_versions("tiny")
    assert [version.source_path for version in again] == [first.source_path, second.source_path]


def test_the_same_text_or_the_same_file_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = record(tmp_path / "a" / "tiny.yaml", TEXT)
    land_study(tmp_path / "store", first)
    versions = Store(tmp_path / "store").study_versions("tiny")
    assert moved_note(versions, record(tmp_path / "b" / "tiny.yaml", TEXT)) is None
    monkeypatch.chdir(tmp_path / "a")
    edited = record(tmp_path / "a" / "tiny.yaml", TEXT + "title: edited\n")
    assert moved_note(versions, replace(edited, source_path="tiny.yaml")) is None
