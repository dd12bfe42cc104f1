"""Studies and picks by number: nothing replaced, the highest is current, damage costs one."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from storage import Store, integrity
from storage.attempt import PickRecord, StudyRecord
from storage.durable import LandingError
from storage.landing import land_picks, land_study
from storage.layout import MOST_VERSIONS
from storage.records import versions
from storage.records.tables import RECORD_KEY, study_table

FAR = datetime(2999, 1, 1, tzinfo=UTC)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def numbers(root: Path, name: str = "quickstart") -> list[int]:
    return [version.version for version in Store(root).study_versions(name)]


def test_a_changed_study_is_a_new_file_and_the_old_one_stays(root: Path, study: StudyRecord):
    first = land_study(root, study)
    kept = first.read_bytes()
    second = land_study(root, replace(study, overrides=("seeds=2",)))
    assert names_in(root / "studies") == ["quickstart.1.parquet", "quickstart.parquet"]
    assert first.read_bytes() == kept
    assert second.name == "quickstart.1.parquet"
    store = Store(root)
    assert store.study("quickstart", 0) == study
    assert store.study("quickstart").overrides == ("seeds=2",)
    assert store.study("quickstart", 1) == store.study("quickstart")
    assert store.study("quickstart", 2) is None
    assert [v.is_current for v in store.study_versions("quickstart")] == [False, True]
    assert store.study_versions("other") == ()


def test_a_launch_that_asks_the_same_adds_no_version(root: Path, study: StudyRecord):
    first = land_study(root, study)
    later = replace(study, launch="later", recorded_at=study.recorded_at + timedelta(1))
    assert land_study(root, later) == first
    assert numbers(root) == [0]


@pytest.mark.parametrize("field", ["source_text", "overrides", "tables", "planned", "source_path"])
def test_whatever_is_asked_makes_a_version(root: Path, study: StudyRecord, field: str):
    changed = {
        "source_text": "study: quickstart",
        "overrides": (),
        "tables": {},
        "planned": (*study.planned[:-1], replace(study.planned[-1], key="c" * 64)),
        "source_path": "elsewhere/quickstart.yaml",
    }
    land_study(root, study)
    land_study(root, replace(study, **{field: changed[field]}))
    land_study(root, study)  # back again: the third version, which is current
    assert numbers(root) == [0, 1, 2]
    assert Store(root).study("quickstart") == study


def test_an_expectation_that_changed_makes_a_version(root: Path, study: StudyRecord):
    land_study(root, study)
    expected = replace(study.planned[0], train_data_sha256="d" * 64)
    land_study(root, replace(study, planned=(expected, *study.planned[1:])))
    assert numbers(root) == [0, 1]


def test_the_number_decides_whatever_the_dates_say(root: Path, study: StudyRecord):
    land_study(root, replace(study, recorded_at=FAR, planned=study.planned[:1]))
    land_study(root, study)
    store = Store(root)
    assert store.study("quickstart") == study
    assert store.rows("select count(*) from planned") == [(len(study.planned),)]
    assert store.rows("select version from studies where is_current") == [(1,)]
    assert len(store.rows("select * from missing")) == 8


def test_a_damaged_newest_version_is_reported_and_the_one_before_serves(
    root: Path, study: StudyRecord
):
    land_study(root, study)
    newest = land_study(root, replace(study, title="newer"))
    newest.write_bytes(newest.read_bytes()[:-1])
    store = Store(root, read_only=True)
    assert [one.path for one in store.damaged] == [newest]
    assert store.study("quickstart") == study
    assert [v.is_current for v in store.study_versions("quickstart")] == [True]
    assert store.rows("select count(*) from planned") == [(len(study.planned),)]
    assert land_study(root, replace(study, title="newest")).name == "quickstart.2.parquet"
    assert Store(root).study("quickstart").title == "newest"


def test_an_old_version_that_is_damaged_costs_that_version_alone(root: Path, study: StudyRecord):
    oldest = land_study(root, study)
    land_study(root, replace(study, title="newer"))
    oldest.write_bytes(b"")
    store = Store(root)
    assert [one.path for one in store.damaged] == [oldest]
    assert [v.version for v in store.study_versions("quickstart")] == [1]
    assert store.study("quickstart", 0) is None


def test_picks_are_versions_too(root: Path, pick: PickRecord):
    land_picks(root, "quickstart", [pick])
    land_picks(root, "quickstart", [replace(pick, picked_at=FAR)])
    assert names_in(root / "picks") == ["quickstart.parquet"]
    land_picks(root, "quickstart", [replace(pick, value="0.3")])
    assert names_in(root / "picks") == ["quickstart.1.parquet", "quickstart.parquet"]
    store = Store(root)
    assert [one.value for one in store.picks("quickstart")] == ["0.3"]
    assert store.rows("select value from picks") == [("0.3",)]


def test_two_launches_at_once_take_two_numbers(root: Path, study: StudyRecord, monkeypatch):
    put, others = versions.put_if_absent, [replace(study, title="other")]

    def late(path: Path, content: bytes) -> bool:
        if others:
            land_study(root, others.pop())
        return put(path, content)

    monkeypatch.setattr(versions, "put_if_absent", late)
    assert land_study(root, study).name == "quickstart.1.parquet"
    assert Store(root).study("quickstart", 0).title == "other"


def test_names_that_begin_alike_are_kept_apart(root: Path, study: StudyRecord):
    for name in ("tiny", "tiny-2", "tiny_3", "ti"):
        cells = tuple(replace(cell, study=name) for cell in study.planned)
        for title in ("a", "b"):
            land_study(root, replace(study, name=name, title=title, planned=cells))
    assert Store(root).studies() == ("ti", "tiny", "tiny-2", "tiny_3")
    assert [numbers(root, name) for name in Store(root).studies()] == [[0, 1]] * 4


@pytest.mark.parametrize("name", ["-rf.parquet", "tiny.01.parquet", "tiny.x.parquet", "A.parquet"])
def test_a_file_that_is_no_record_is_set_aside(root: Path, study: StudyRecord, name: str):
    land_study(root, study).rename(root / "studies" / name)
    store = Store(root)
    assert store.studies() == ()
    assert [one.reason for one in store.damaged] == ["its name is not that of a record"]


def harmed(study: StudyRecord, facts: dict[str, object]) -> bytes:
    table = study_table(study)
    stated = json.loads(table.schema.metadata[RECORD_KEY]) | facts
    metadata = {**table.schema.metadata, RECORD_KEY: json.dumps(stated).encode()}
    return integrity.encode(table.replace_schema_metadata(metadata))


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"name": "other"}, "it holds the study 'other'"),
        ({"tables": {"a": {"rows": 3}}}, "rows"),
        ({"recorded_at": "soon"}, "isoformat"),
        ({"recorded_at": "2026-01-01T00:00:00"}, "has no zone"),
        ({"title": None}, "title is no text"),
    ],
)
def test_a_record_that_cannot_be_true_is_not_served(root, study, facts, reason):
    land_study(root, study)
    (root / "studies" / "quickstart.1.parquet").write_bytes(harmed(study, facts))
    store = Store(root)
    assert store.study("quickstart") == study
    assert reason in store.damaged[0].reason
    assert "\n" not in store.damaged[0].reason


def test_facts_of_a_newer_version_are_left_out(root: Path, study: StudyRecord):
    path = root / "studies" / "quickstart.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(harmed(study, {"tomorrow": 1}))
    assert Store(root).study("quickstart") == study


def test_the_last_number_ends_in_a_clear_error(root: Path, study: StudyRecord):
    path = land_study(root, study)
    path.rename(path.with_name(f"quickstart.{MOST_VERSIONS - 1}.parquet"))
    with pytest.raises(LandingError, match="no version 1000000"):
        land_study(root, replace(study, title="one more"))
