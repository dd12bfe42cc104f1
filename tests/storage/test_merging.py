"""Union of stores: nothing replaced, nothing lost, conflicts and damage named."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from storage import Store, integrity, merging
from storage.landing import attempt_table, land_attempt, land_picks, land_study
from storage.merging import MANIFEST, BundleError, export, merge
from storage.records.tables import study_table
from storage.segments import compaction
from storage.segments.compaction import compact
from storage.segments.files import switch_current, write_segment
from tests.storage.conftest import START


def fill(root: Path, attempts, *, compacted: bool = False) -> Path:
    for one in attempts:
        land_attempt(root, one)
    if compacted:
        compact(root)
    return root


def content(root: Path) -> list[tuple]:
    return Store(root).rows("select key, attempt, test_accuracy, outcome from cells order by key")


@pytest.mark.parametrize("compacted", [False, True])
def test_the_union_holds_each_result_once(tmp_path: Path, attempt, failure, compacted) -> None:
    ours = fill(tmp_path / "a", [attempt(i) for i in range(5)], compacted=compacted)
    theirs = fill(
        tmp_path / "b", [attempt(i) for i in range(3, 9)] + [failure(20)], compacted=compacted
    )
    done = merge(ours, [theirs])
    assert (done.num_new, done.num_same, done.num_failures) == (4, 2, 1)
    assert not done.conflicts
    whole = fill(tmp_path / "whole", [attempt(i) for i in range(9)])
    assert content(ours) == content(whole)
    assert Store(ours).rows("select count(*) from failures") == [(1,)]
    epochs = "select * from epochs order by key, epoch"
    assert Store(ours).rows(epochs) == Store(whole).rows(epochs)


def test_merging_again_changes_nothing(tmp_path: Path, attempt, failure) -> None:
    ours = fill(tmp_path / "a", [attempt(0)])
    theirs = fill(tmp_path / "b", [attempt(1), failure(7)])
    merge(ours, [theirs])
    before = content(ours)
    again = merge(ours, [theirs])
    assert (again.num_new, again.num_same) == (0, 1)
    assert content(ours) == before
    assert Store(ours).rows("select count(*) from failures") == [(1,)]


def test_other_numbers_are_reported_and_ours_stay(tmp_path: Path, attempt) -> None:
    ours = fill(tmp_path / "a", [attempt(0), attempt(1)])
    theirs = fill(tmp_path / "b", [attempt(1, run=9), attempt(2)])
    before = {row[0]: row for row in content(ours)}
    done = merge(ours, [theirs])
    (conflict,) = done.conflicts
    assert conflict.key == attempt(1).key
    assert "test_accuracy" in conflict.columns
    assert conflict.origin == theirs
    after = {row[0]: row for row in content(ours)}
    assert after.items() >= before.items()
    assert len(after) == 3


def test_damage_of_the_other_store_is_named_and_stays_there(tmp_path: Path, attempt) -> None:
    theirs = fill(tmp_path / "b", [attempt(1), attempt(2)])
    damaged = theirs / "attempts" / f"{attempt(1).key}.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-1])
    done = merge(tmp_path / "a", [theirs])
    assert done.num_new == 1
    assert [file.path for file in done.damaged] == [damaged]
    assert damaged.exists()


def test_a_contradiction_is_kept_once_and_comes_along(tmp_path: Path, attempt) -> None:
    ours = fill(tmp_path / "a", [attempt(1, device="cpu")])
    theirs = fill(tmp_path / "b", [attempt(1, run=9, device="cuda")])
    for _ in range(2):
        (conflict,) = merge(ours, [theirs]).conflicts
        assert conflict.conditions == (("device", "cpu", "cuda"),)
    assert len(list((ours / "conflicts").iterdir())) == 1
    assert len(Store(ours).conflicts()) == 1
    bundle = tmp_path / "bundle"
    assert len(export(ours, bundle).conflicts) == 1
    (told,) = Store(bundle).conflicts()
    assert (told.standing.device, told.kept.device) == ("cpu", "cuda")
    # Back where the contradiction came from, theirs stands and only ours contradicts it.
    merge(theirs, [ours])
    (told,) = Store(theirs).conflicts()
    assert (told.standing.device, told.kept.device) == ("cuda", "cpu")


def test_a_contradiction_never_stands_in_for_a_result_that_did_not_come(
    tmp_path: Path, attempt, failure
) -> None:
    theirs = fill(tmp_path / "b", [attempt(1), attempt(1, run=9), failure(1)])
    (theirs / "attempts" / f"{attempt(1).key}.parquet").write_bytes(b"")
    done = merge(tmp_path / "a", [theirs])
    assert (done.num_new, done.num_failures, len(done.conflicts)) == (0, 1, 1)
    assert Store(tmp_path / "a").rows("select count(*) from cells") == [(0,)]
    assert Store(tmp_path / "a").conflicting_keys() == {attempt(1).key}


def test_rows_are_refused_one_by_one(tmp_path: Path, attempt, failure, monkeypatch) -> None:
    asked = []

    def problem(row, key_of) -> str | None:
        asked.append(key_of)
        return "it cannot be" if row["key"] == attempt(1).key else None

    monkeypatch.setattr(merging, "problem_of", problem)
    theirs = fill(tmp_path / "b", [attempt(i) for i in range(3)], compacted=True)
    fill(theirs, [attempt(4), failure(1)])

    def key_of(config, revisions) -> None:
        return None

    done = merge(tmp_path / "a", [theirs], key_of)
    assert [(one.what, one.reason, one.origin) for one in done.refused] == [
        (attempt(1).key, "it cannot be", theirs)
    ] * 2
    assert done.num_new == 3
    assert not done.is_clean
    assert set(asked) == {key_of}


@pytest.mark.parametrize("change", [{"key": "../x"}, {"attempt": "a/b"}])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, attempt, change) -> None:
    theirs = fill(tmp_path / "b", [attempt(0)])
    fresh = attempt_table(attempt(1, **change))
    table = pa.concat_tables([fresh, attempt_table(attempt(2))])
    rows = compaction._landed(table)
    segment = write_segment(theirs, rows.attempts, rows.curves)
    switch_current(theirs, [segment])
    done = merge(tmp_path / "a", [theirs])
    assert done.num_new == 2
    assert len(done.refused) + len(done.damaged) == 1  # by the merge, or by the reader before it
    assert not done.is_clean


def test_another_fingerprint_is_another_result(tmp_path: Path, attempt) -> None:
    """The same key from edited code: neither the same result nor a contradiction."""
    ours = fill(tmp_path / "a", [attempt(1, train_data_sha256="a" * 64)])
    theirs = fill(tmp_path / "b", [attempt(1, run=9, train_data_sha256="b" * 64)])
    unknown = fill(tmp_path / "c", [attempt(1)])
    done = merge(ours, [theirs, unknown])
    assert (done.num_new, done.num_same, done.conflicts) == (1, 1, [])
    again = merge(ours, [theirs])
    assert (again.num_new, again.num_same, again.conflicts) == (0, 1, [])
    assert not (ours / "conflicts").exists()


def test_rows_of_old_stores_have_edition_0(tmp_path: Path, attempt) -> None:
    table = attempt_table(attempt(1)).drop_columns(["edition", "identity"])
    path = tmp_path / "b" / "attempts" / f"{attempt(1).key}.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(integrity.encode(table))
    merge(tmp_path / "a", [tmp_path / "b"])
    assert Store(tmp_path / "a").rows("select edition from attempts") == [(0,)]


def test_a_study_that_is_not_here_comes_with_its_history(
    tmp_path: Path, attempt, study, pick
) -> None:
    ours, theirs = tmp_path / "a", fill(tmp_path / "b", [attempt(1)])
    versions = [study, replace(study, title="second"), replace(study, title="third")]
    for version in versions:
        land_study(theirs, version)
    for value in ("0.1", "0.3"):
        land_picks(theirs, study.name, [replace(pick, value=value)])
    assert merge(ours, [theirs]).studies == [study.name]
    store = Store(ours)
    assert [store.study(study.name, number) for number in range(3)] == versions
    assert store.study(study.name) == versions[-1]
    assert [one.value for one in store.picks(study.name)] == ["0.3"]
    again = merge(ours, [theirs])
    assert (again.studies, again.differences) == ([], [])
    assert len(Store(ours).study_versions(study.name)) == 3
    # A merge that was cut off after the newest version adds the others when it is done again.
    (ours / "studies" / f"{study.name}.parquet").unlink()
    merge(ours, [theirs])
    assert Store(ours).study(study.name, 0) == study


@pytest.mark.parametrize("recorded_at", [START, START + timedelta(days=30)])
def test_a_study_that_is_here_stays_as_it_is(
    tmp_path: Path, attempt, study, pick, recorded_at
) -> None:
    ours, theirs = fill(tmp_path / "a", [attempt(0)]), fill(tmp_path / "b", [attempt(1)])
    land_study(ours, study)
    land_picks(ours, study.name, [pick])
    fewer = replace(
        study, planned=study.planned[:2], overrides=("seeds=1",), recorded_at=recorded_at
    )
    land_study(theirs, study)
    land_study(theirs, fewer)
    land_picks(theirs, study.name, [replace(pick, value="9")])
    done = merge(ours, [theirs])
    (difference,) = done.differences
    assert (difference.study, difference.origin, difference.num_shared) == (study.name, theirs, 2)
    assert (difference.ours.num_cells, difference.theirs.num_cells) == (8, 2)
    assert difference.theirs.overrides == ("seeds=1",)
    assert done.studies == []
    store = Store(ours)
    assert store.study(study.name) == study
    assert store.picks(study.name) == (pick,)
    assert len(store.rows("select * from missing")) == 6


def test_a_gap_in_our_history_is_not_filled_with_a_history_of_theirs(tmp_path: Path, study) -> None:
    ours, theirs = tmp_path / "a", tmp_path / "b"
    for title in ("lost", "ours"):
        land_study(ours, replace(study, title=title))
    (ours / "studies" / f"{study.name}.parquet").unlink()
    land_study(theirs, replace(study, title="theirs"))
    merge(ours, [theirs])
    assert [one.title for one in Store(ours).study_versions(study.name)] == ["ours"]


def test_a_longer_history_of_the_same_study_adds_nothing_after_ours(tmp_path: Path, study) -> None:
    ours, theirs = tmp_path / "a", tmp_path / "b"
    land_study(ours, study)
    land_study(theirs, replace(study, title="older"))
    land_study(theirs, study)
    merge(ours, [theirs])
    assert [one.version for one in Store(ours).study_versions(study.name)] == [0]


def test_a_study_that_only_lies_elsewhere_is_no_difference(tmp_path: Path, study) -> None:
    land_study(tmp_path / "a", study)
    land_study(tmp_path / "b", replace(study, source_path="there/quickstart.yaml", launch="b"))
    assert merge(tmp_path / "a", [tmp_path / "b"]).differences == []
    land_study(tmp_path / "a", replace(study, title="newer"))  # theirs is an older one of ours
    assert merge(tmp_path / "a", [tmp_path / "b"]).differences == []


FAR = datetime(2999, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("-rf", {}, "its name is not that of a record"),
        ("other", {}, "it holds the study 'quickstart'"),
        ("quickstart", {"recorded_at": FAR}, "recorded in the future, on 2999-01-01"),
        ("quickstart", {"cell": {"study": "other"}}, "a row belongs to the study 'other'"),
        ("quickstart", {"cell": {"key": "x"}}, "'x' is no key of a cell"),
        ("quickstart", {"cell": {"config": "{"}}, "'{' is no config of a cell"),
    ],
)
def test_records_that_cannot_be_true_are_refused(
    tmp_path: Path, study, name: str, change: dict, reason: str
) -> None:
    ours, theirs = tmp_path / "a", tmp_path / "b"
    cell = change.pop("cell", {})
    false = replace(study, **change, planned=(replace(study.planned[0], **cell),))
    path = theirs / "studies" / f"{name}.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(integrity.encode(study_table(false)))
    other = replace(study, name="sound", planned=(), recorded_at=START)
    land_study(theirs, other)
    done = merge(ours, [theirs])
    (refused,) = done.refused
    assert refused.what == f"studies/{name}.parquet"
    assert reason in refused.reason
    assert done.studies == ["sound"]
    assert done.damaged == []
    assert Store(ours).studies() == ("sound",)
    assert path.exists()


def test_a_false_version_is_refused_and_the_one_before_it_comes(tmp_path: Path, study) -> None:
    land_study(tmp_path / "b", study)
    land_study(tmp_path / "b", replace(study, recorded_at=FAR, title="false"))
    done = merge(tmp_path / "a", [tmp_path / "b"])
    assert [one.what for one in done.refused] == ["studies/quickstart.1.parquet"]
    assert Store(tmp_path / "a").study("quickstart") == study


def test_picks_that_cannot_be_true_are_refused(tmp_path: Path, study, pick) -> None:
    land_study(tmp_path / "b", study)
    land_picks(tmp_path / "b", study.name, [pick])
    land_picks(tmp_path / "b", study.name, [replace(pick, study="other")])
    land_picks(tmp_path / "b", study.name, [replace(pick, score=float("nan"))])
    done = merge(tmp_path / "a", [tmp_path / "b"])
    assert [one.reason for one in done.refused] == [
        "a score is no number",
        "a row belongs to the study 'other'",
    ]
    assert Store(tmp_path / "a").picks(study.name) == (pick,)


def test_an_export_is_a_store_with_a_manifest(tmp_path: Path, attempt, study) -> None:
    source = fill(tmp_path / "a", [attempt(i) for i in range(4)])
    land_study(source, replace(study, source_text="older"))
    land_study(source, study)
    bundle = tmp_path / "bundle"
    export(source, bundle)
    assert content(bundle) == content(source)
    assert (bundle / f"{study.name}.yaml").read_text() == study.source_text
    assert len(Store(bundle).study_versions(study.name)) == 2
    listed = json.loads((bundle / MANIFEST).read_text())["sha256"]
    assert len(listed) >= 4
    assert merge(tmp_path / "fresh", [bundle]).num_new == 4
    with pytest.raises(BundleError, match="is not empty"):
        export(source, bundle)


@pytest.mark.parametrize("harm", ["change", "remove", "escape", "garbage"])
def test_a_bundle_that_was_touched_is_refused(tmp_path: Path, attempt, harm: str) -> None:
    bundle = tmp_path / "bundle"
    export(fill(tmp_path / "a", [attempt(0)]), bundle)
    manifest = bundle / MANIFEST
    (segment,) = (bundle / "segments").glob("*.attempts.parquet")
    if harm == "change":
        segment.write_bytes(segment.read_bytes() + b"x")
    elif harm == "remove":
        segment.unlink()
    elif harm == "escape":
        manifest.write_text(json.dumps({"sha256": {"../a": "0" * 64}}))
    else:
        manifest.write_text("[]")
    with pytest.raises(BundleError):
        merge(tmp_path / "fresh", [bundle])
    assert not (tmp_path / "fresh").exists()


def test_a_folder_that_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no results store"):
        merge(tmp_path / "a", [tmp_path])
