"""A result lands whole, once, and never over another; nothing lands outside the store."""

import os
from dataclasses import fields, replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from storage import integrity
from storage.attempt import Attempt, PickRecord
from storage.durable import LandingError
from storage.landing import Landing, land_attempt, land_picks, land_study
from storage.records.tables import picks_table
from storage.schema import PICKS, PLANNED, SCALARS
from storage.segments.compaction import compact
from storage.store import Store


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_records_have_one_field_per_column():
    assert {field.name for field in fields(Attempt)} == {c.name for c in SCALARS} | {"curves"}
    assert [field.name for field in fields(PickRecord)] == [column.name for column in PICKS]
    assert PLANNED[0].name == "study"


def test_a_result_lands_in_a_file_named_by_its_key(root, attempt):
    landing = land_attempt(root, attempt(0))
    assert landing == Landing(root / "attempts" / f"{attempt(0).key}.parquet", True, ())
    assert names_in(root / "attempts") == [landing.path.name]


def test_the_same_result_again_changes_nothing(root, attempt):
    landing = land_attempt(root, attempt(0))
    before = landing.path.read_bytes()
    again = land_attempt(root, attempt(0, launch="launch-2"))
    assert again == Landing(landing.path, False, ())
    assert landing.path.read_bytes() == before


@pytest.mark.parametrize("compacted", [False, True])
def test_a_different_result_is_refused_and_named(root, attempt, compacted):
    first, curves = attempt(0), dict(attempt(0).curves)
    land_attempt(root, first)
    if compacted:
        compact(root)
    curves["test_loss"] = (*curves["test_loss"][:-1], None)
    curves["epoch_seconds"] = (9.0, 9.0, 9.0)
    again = land_attempt(root, replace(first, attempt="zombie", curves=curves))
    assert (again.is_new, again.conflicts) == (False, ("test_loss",))
    assert Store(root).rows("select attempt from cells") == [(first.attempt,)]
    found = Store(root).curves([first.attempt, "zombie"], "test_loss")
    assert found == {first.attempt: first.curves["test_loss"]}


def test_missing_values_are_equal(root, attempt):
    curves = {**attempt(0).curves, "memorization": (0.5, None, None)}
    land_attempt(root, attempt(0, curves=curves))
    assert land_attempt(root, attempt(0, curves=curves)).conflicts == ()


def test_a_damaged_result_makes_way(root, attempt):
    path = land_attempt(root, attempt(0)).path
    path.write_bytes(path.read_bytes()[:-1])
    assert land_attempt(root, attempt(0)).is_new
    assert Store(root).damaged == ()
    assert len(names_in(root / "quarantine")) == 1


def test_failures_pile_up_beside_the_result(root, attempt, failure):
    for one in (failure(0, 1), failure(0, 2), attempt(0)):
        assert land_attempt(root, one).is_new
    assert len(names_in(root / "attempts")) == 3


@pytest.mark.parametrize("key", ["", "../x", "A" * 64, "a" * 63, "a" * 64 + "\n", "/etc/passwd"])
def test_no_key_escapes_the_store(root, attempt, key):
    with pytest.raises(LandingError, match="not a cell key"):
        land_attempt(root, attempt(0, key=key))
    assert not root.exists()


@pytest.mark.parametrize("name", ["", "../x", "a/b", "A", "a b", ".hidden", "é", "a" * 101])
def test_no_study_or_attempt_escapes_the_store(root, study, failure, pick, name):
    with pytest.raises(LandingError, match="not a study name"):
        land_study(root, replace(study, name=name))
    with pytest.raises(LandingError, match="not a study name"):
        land_picks(root, name, [pick])
    with pytest.raises(LandingError, match="not an attempt id"):
        land_attempt(root, failure(0, attempt=name))
    assert not root.exists()


def test_a_full_disk_leaves_no_trace_and_a_clear_error(root, attempt, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LandingError, match=r"cannot write \d+ bytes to .*No space left"):
        land_attempt(root, attempt(0))
    assert names_in(root / "attempts") == []


def test_a_file_system_without_hard_links_is_refused(root, attempt, monkeypatch):
    def unsupported(source: Path, target: Path) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", unsupported)
    with pytest.raises(LandingError, match="hard link"):
        land_attempt(root, attempt(0))
    assert names_in(root / "attempts") == []


def test_picks_of_an_older_version_come_back_without_their_metric(root, pick):
    table = picks_table([pick]).drop_columns(["metric"])
    place = root / "picks" / "quickstart.parquet"
    place.parent.mkdir(parents=True)
    place.write_bytes(integrity.encode(table))
    assert Store(root).picks("quickstart") == (replace(pick, metric=None),)


def test_a_study_and_its_picks_come_back_as_they_landed(root, study, pick):
    land_study(root, replace(study, title="older"))
    land_study(root, study)
    land_picks(root, study.name, [pick])
    store = Store(root)
    assert store.studies() == ("quickstart",)
    assert store.study("quickstart") == study
    assert store.study("other") is None
    assert store.picks("quickstart") == (pick,)
    assert store.picks("other") == ()


def _race(root: Path, attempts: list[Attempt]) -> int:
    return sum(land_attempt(root, one).is_new for one in attempts)


@pytest.mark.slow
def test_racing_writers_land_each_cell_once(root, attempt):
    cells = range(20)
    work = [(root, [attempt(i, run=run) for i in cells]) for run in range(4)]
    with get_context("spawn").Pool(4) as pool:
        won = pool.starmap(_race, work)
    assert sum(won) == len(cells)
    for path in (root / "attempts").iterdir():
        integrity.read(path)


def test_a_temporary_that_is_swept_away_is_written_again(root, attempt, monkeypatch):
    """As after a clock was set forward while another process compacts."""
    link, swept = os.link, []

    def link_late(source, target):
        if not swept:
            swept.append(source)
            Path(source).unlink()
        link(source, target)

    monkeypatch.setattr(os, "link", link_late)
    assert land_attempt(root, attempt(0)).is_new
    assert len(swept) == 1
    assert len(names_in(root / "attempts")) == 1
