"""The store is kept in few files while results land."""

from __future__ import annotations

import errno
import time
from pathlib import Path

import pytest

from orchestrator.guard import compaction
from orchestrator.guard.compaction import kept_tidy, tidy_up
from storage.landing import land_attempt
from storage.layout import ATTEMPTS, SEGMENTS, files_in
from storage.store import Store
from tests.storage.conftest import attempt_of


def count(store: Path) -> int:
    ((number,),) = Store(store).sql("select count(*) from cells").fetchall()
    return int(number)


def test_many_files_are_gathered_while_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "MANY_FILES", 3)
    with kept_tidy(tmp_path, print, look_seconds=0.01):
        for index in range(3):
            land_attempt(tmp_path, attempt_of(index))
        deadline = time.monotonic() + 30
        while files_in(tmp_path / ATTEMPTS) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert files_in(tmp_path / ATTEMPTS) == []
        land_attempt(tmp_path, attempt_of(3))
        time.sleep(0.1)
        assert len(files_in(tmp_path / ATTEMPTS)) == 1, "not worth it yet"
    assert count(tmp_path) == 4


def test_what_fails_meanwhile_is_left_to_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_store: Path) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(compaction, "MANY_FILES", 1)
    monkeypatch.setattr(compaction, "compact", fail)
    land_attempt(tmp_path, attempt_of(0))
    with kept_tidy(tmp_path, print, look_seconds=0.001):
        time.sleep(0.05)
    with pytest.raises(OSError, match="broken"):
        tidy_up(tmp_path, print)


def test_a_full_disk_puts_it_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_store: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    told: list[str] = []
    land_attempt(tmp_path, attempt_of(0))
    monkeypatch.setattr(compaction, "compact", fail)
    tidy_up(tmp_path, told.append)
    assert len(told) == 1
    assert "no room" in told[0]
    monkeypatch.undo()
    tidy_up(tmp_path, told.append)
    assert files_in(tmp_path / ATTEMPTS) == []
    assert files_in(tmp_path / SEGMENTS)
    assert len(told) == 1


def test_what_is_set_aside_meanwhile_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "MANY_FILES", 2)
    land_attempt(tmp_path, attempt_of(0))
    (tmp_path / ATTEMPTS / f"{'a' * 64}.parquet").write_bytes(b"garbage")
    told: list[str] = []
    with kept_tidy(tmp_path, told.append, look_seconds=0.01):
        deadline = time.monotonic() + 30
        while files_in(tmp_path / ATTEMPTS) and time.monotonic() < deadline:
            time.sleep(0.01)
    (line,) = told
    assert line.startswith("damaged: ")
    assert f"{'a' * 64}.parquet" in line
