"""Stores of every released schema version open, answer, verify and compact."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from storage import Store
from storage.schema import SCHEMA_VERSION
from storage.segments.compaction import compact

FIXTURES = sorted((Path(__file__).parent / "fixtures").glob("version_*"))


@pytest.fixture(params=FIXTURES, ids=lambda path: path.name)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return Path(shutil.copytree(request.param, tmp_path / "store"))


def test_the_present_version_has_its_fixture() -> None:
    assert f"version_{SCHEMA_VERSION}" in {path.name for path in FIXTURES}


def figures(root: Path) -> list[tuple[object, ...]]:
    query = "select seed, loss, outcome, round(test_accuracy, 6) from cells order by seed"
    return Store(root).rows(query)


EXPECTED = [
    (0, "ce", "finished", 0.216399),
    (1, "mae", "diverged", 0.188351),
    (2, "gce", "finished", 0.218219),
]


def test_it_answers_with_the_same_figures(store: Path) -> None:
    assert figures(store) == EXPECTED
    assert Store(store).rows("select count(*) from epochs") == [(9,)]
    assert Store(store).rows("select error_message from failures") == [("bad luck",)]
    assert Store(store).verify() == ()


def test_it_takes_part_in_a_compaction(store: Path) -> None:
    compact(store)
    assert not list((store / "attempts").glob("*.parquet"))
    assert figures(store) == EXPECTED
