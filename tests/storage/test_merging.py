"""Union of stores: nothing replaced, nothing lost, conflicts and damage named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from storage import Store
from storage.compaction import compact
from storage.landing import land_attempt
from storage.merging import MANIFEST, BundleError, export, merge


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


def test_studies_come_along_the_later_one_wins(tmp_path: Path, attempt, study) -> None:
    from storage.landing import land_study

    theirs = fill(tmp_path / "b", [attempt(1)])
    land_study(theirs, study)
    done = merge(tmp_path / "a", [theirs])
    assert done.studies == [study.name]
    assert Store(tmp_path / "a").study(study.name) == study
    assert merge(tmp_path / "a", [theirs]).studies == []


def test_an_export_is_a_store_with_a_manifest(tmp_path: Path, attempt, study) -> None:
    from storage.landing import land_study

    source = fill(tmp_path / "a", [attempt(i) for i in range(4)])
    land_study(source, study)
    bundle = tmp_path / "bundle"
    export(source, bundle)
    assert content(bundle) == content(source)
    assert (bundle / f"{study.name}.yaml").read_text() == study.source_text
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
