"""Pipes, folders and links to themselves where a file should be: damage, neither hang nor trace."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from storage.merging import MANIFEST, BundleError, merge
from storage.segments.compaction import compact
from storage.segments.files import pointer_path
from storage.store import Store

KINDS: dict[str, Callable[[Path], None]] = {
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "loop": lambda path: path.symlink_to(path.name),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_pointer_that_is_no_file_is_rebuilt(filled, kind) -> None:
    compact(filled)
    pointer_path(filled).unlink()
    KINDS[kind](pointer_path(filled))
    store = Store(filled, read_only=True)
    assert store.rows("select count(*) from cells") == [(5,)]
    assert "no regular file" in str(store.damaged[0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("which", ["attempts", "curves", "copy"])
def test_a_part_of_a_segment_that_is_no_file_is_damage(filled, kind, which) -> None:
    compact(filled)
    (path,) = (filled / "segments").glob(f"*.{which}.parquet")
    path.unlink()
    KINDS[kind](path)
    store = Store(filled, read_only=True)
    assert store.rows("select count(*) from cells") == [(5,)]
    assert [damage.path for damage in store.verify()] == [path]


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_among_records_is_passed_over(filled, kind) -> None:
    for folder in ("attempts", "studies", "picks", "decisions", "conflicts", "segments"):
        (filled / folder).mkdir(exist_ok=True)
        KINDS[kind](filled / folder / "odd.parquet")
    assert Store(filled).rows("select count(*) from cells") == [(5,)]


@pytest.mark.parametrize("kind", ["pipe", "loop"])
def test_a_merge_writes_a_segment_anew_whose_files_are_none(filled, tmp_path, kind) -> None:
    compact(filled)
    target = tmp_path / "target"
    merge(target, [filled])
    for path in list((target / "segments").glob("*.parquet")):
        path.unlink()
        KINDS[kind](path)
    merge(target, [filled])
    assert Store(target, read_only=True).rows("select count(*) from cells") == [(5,)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_manifest_that_is_no_file_is_one_line(filled, tmp_path, kind) -> None:
    KINDS[kind](filled / MANIFEST)
    with pytest.raises(BundleError, match="no regular file"):
        merge(tmp_path / "target", [filled])
