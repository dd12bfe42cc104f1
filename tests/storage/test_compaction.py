"""Compaction moves rows and changes none, whenever it is killed and whoever reads meanwhile."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from storage.landing import land_attempt
from storage.segments import compaction
from storage.segments.compaction import Compaction, compact
from storage.segments.files import pointer_path, read_current
from storage.store import Store


def everything(root: Path) -> dict[str, Any]:
    """All that a reader can see of the attempts."""
    store = Store(root)
    assert store.damaged == ()
    views = ("cells", "attempts", "epochs", "failures", "decisions")
    return {view: store.rows(f"select * from {view} order by all") for view in views}


def small_files(root: Path) -> list[Path]:
    return list((root / "attempts").glob("[!.]*"))


def segment_files(root: Path) -> list[Path]:
    return sorted((root / "segments").glob("*.parquet"))


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(compaction, "CHUNK_ROWS", 3)


def test_nothing_to_do(root):
    assert compact(root) == Compaction()
    assert not root.exists()


def test_rows_move_and_stay_the_same(filled):
    before = everything(filled)
    assert compact(filled) == Compaction(num_absorbed=7, num_segments=1)
    assert everything(filled) == before
    assert small_files(filled) == []
    assert compact(filled) == Compaction(num_absorbed=0, num_segments=1)


def test_chunks_bound_a_segment_and_small_segments_merge(root, attempt, small_chunks):
    for index in range(7):
        land_attempt(root, attempt(index))
    assert compact(root).num_segments == 3
    assert sorted(segment.num_rows for segment in read_current(root)) == [1, 3, 3]
    land_attempt(root, attempt(7))
    before = everything(root)
    assert compact(root).num_segments == 3
    assert sorted(segment.num_rows for segment in read_current(root)) == [2, 3, 3]
    assert everything(root) == before
    assert len(segment_files(root)) == 9


def test_a_result_that_is_compacted_already_is_not_taken_twice(root, attempt):
    path = land_attempt(root, attempt(0)).path
    content = path.read_bytes()
    compact(root)
    before = everything(root)
    path.write_bytes(content)
    assert everything(root) == before
    assert compact(root).num_segments == 1
    assert everything(root) == before
    assert small_files(root) == []


def test_the_first_result_wins_over_a_zombie(root, attempt, monkeypatch):
    land_attempt(root, attempt(0))
    compact(root)
    before = everything(root)
    monkeypatch.setattr("storage.landing.find_result", lambda *_: None)
    assert land_attempt(root, attempt(0, run=1)).is_new
    assert everything(root) == before
    compact(root)
    assert everything(root) == before


def test_damaged_inputs_are_set_aside(filled, attempt):
    path = filled / "attempts" / f"{attempt(0).key}.parquet"
    path.write_bytes(b"PAR1 no more")
    done = compact(filled)
    assert [one.path for one in done.damaged] == [path]
    assert Store(filled).rows("select count(*) from cells") == [(4,)]


@pytest.mark.parametrize("damage", ["flip", "lose", "nonsense"])
def test_a_damaged_pointer_loses_nothing(root, attempt, small_chunks, damage):
    for index in range(7):
        land_attempt(root, attempt(index))
        if index in (3, 6):
            compact(root)
    before = everything(root)
    pointer = pointer_path(root)
    content = pointer.read_text()
    digest = read_current(root)[0].attempts
    changed = {
        "flip": content.replace(digest, digest[:-1] + ("0" if digest[-1] != "0" else "1")),
        "lose": content[:-20],
        "nonsense": "[1, 2]",
    }
    pointer.write_text(changed[damage])
    store = Store(root)
    assert [one.path for one in store.damaged] == [pointer]
    assert store.rows("select * from cells order by all") == before["cells"]
    compact(root)
    assert everything(root) == before


def test_one_at_a_time(filled):
    (filled / "segments").mkdir()
    with FileLock(filled / "segments" / ".lock"):
        assert compact(filled).is_busy
    assert len(small_files(filled)) == 7
    assert compact(filled).num_absorbed == 7


def test_abandoned_temporaries_are_swept_and_fresh_ones_stay(filled):
    old, fresh = (filled / "attempts" / f".{name}.tmp" for name in ("old", "fresh"))
    for path in (old, fresh):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    compact(filled)
    assert (old.exists(), fresh.exists()) == (False, True)


@pytest.mark.slow
def test_readers_see_every_row_while_it_runs(root, attempt, small_chunks):
    num_cells = 40
    for index in range(num_cells):
        land_attempt(root, attempt(index))
    held = Store(root)
    stop, seen = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            store = Store(root)
            seen.append((store.rows("select count(*) from epochs")[0][0], len(store.damaged)))

    reader = threading.Thread(target=read)
    reader.start()
    for index in range(num_cells, num_cells + 4):
        compact(root)
        land_attempt(root, attempt(index))
    stop.set()
    reader.join()
    assert len(seen) > 3
    assert {damaged for _, damaged in seen} == {0}
    assert {rows for rows, _ in seen} <= {3 * n for n in range(num_cells, num_cells + 5)}
    assert held.rows("select count(*) from epochs") == [(3 * num_cells,)]


def test_an_open_store_keeps_curves_that_were_merged_away(root, attempt, small_chunks):
    land_attempt(root, attempt(0))
    compact(root)
    held = Store(root)
    land_attempt(root, attempt(1))
    compact(root)
    assert held.rows("select count(*) from epochs") == [(3,)]
    assert held.curves([attempt(0).attempt], "test_loss")[attempt(0).attempt] == tuple(
        attempt(0).curves["test_loss"]
    )
