"""Whatever fails at whichever write, fsync, link or rename: the store reads as before or as after.

Each act is done on a fresh copy of a store, for every ninth change of the disk that it asks for,
other ones for each fault; with the environment variable EVERY_STEP for all of them (a few minutes).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from storage.durable import LandingError
from storage.landing import land_attempt, land_picks, land_study
from storage.layout import files_in
from storage.merging import merge
from storage.segments import compaction
from storage.segments.compaction import compact, mend
from storage.segments.files import read_current
from storage.store import Store
from tests.faults.disk import Fault, Killed, failing_disk
from trainables.training import checkpoint

VIEWS = ("epochs", "attempts", "failures", "planned", "picks", "studies")

Act = Callable[[Path], object]


def everything(root: Path) -> dict[str, Any]:
    """All that a reader can see."""
    store = Store(root)
    assert store.damaged == ()
    return {view: store.rows(f"select * from {view} order by all") for view in VIEWS}


@pytest.fixture
def acts(
    attempt, failure, study, pick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Act]:
    monkeypatch.setattr(
        "storage.merging.compact", lambda _root: compaction.Compaction()
    )  # an act of its own
    other = tmp_path / "other"
    for index in (1, 20):
        land_attempt(other, attempt(index))
    land_attempt(other, failure(21))
    land_study(other, study)
    return {
        "result": lambda root: land_attempt(root, attempt(10)),
        "conflict": lambda root: land_attempt(root, attempt(1, run=9)),
        "failure": lambda root: land_attempt(root, failure(5, run=3)),
        "study": lambda root: land_study(root, study),
        "picks": lambda root: land_picks(root, "quickstart", [pick]),
        "compaction": compact,
        "merge": lambda root: merge(root, [other]),
    }


@pytest.fixture
def store(filled: Path, attempt, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Segments and small files."""
    monkeypatch.setattr(compaction, "CHUNK_ROWS", 3)
    compact(filled)
    for index in (6, 7):
        land_attempt(filled, attempt(index))
    return filled


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["result", "conflict", "failure", "study", "picks", "compaction", "merge"]
)
@pytest.mark.parametrize("fault", Fault)
def test_a_fault_at_any_change_of_the_disk(
    store: Path, acts: dict[str, Act], name: str, fault: Fault, tmp_path: Path
) -> None:
    act = acts[name]
    before = everything(store)
    after = everything(done(act, shutil.copytree(store, tmp_path / "after")))
    stride = 1 if os.environ.get("EVERY_STEP") else 9
    for step in count(1 + list(Fault).index(fault) % stride, stride):
        copy = shutil.copytree(store, tmp_path / f"{step}")
        with failing_disk(fault, step) as disk, suppress(Killed, LandingError):
            act(copy)
        if not disk.has_struck:
            break
        seen = everything(copy)
        if name != "merge":  # of which each result is a commit of its own
            assert seen in (before, after), f"change {step}"
        assert set(before["epochs"]) <= set(seen["epochs"]) <= set(after["epochs"])
        assert everything(done(act, copy)) == after, f"after change {step}, done again"
        assert name != "compaction" or is_tidy(copy)
    assert step > stride


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["attempts", "copy", "curves"])
@pytest.mark.parametrize("fault", Fault)
def test_a_fault_while_a_segment_is_mended(
    filled: Path, suffix: str, fault: Fault, tmp_path: Path
) -> None:
    compact(filled)
    (path,) = (filled / "segments").glob(f"*.{suffix}.parquet")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    query = "select * from cells order by key"
    before = Store(filled, read_only=True).rows(query)
    for step in count(1):
        copy = shutil.copytree(filled, tmp_path / f"{step}")
        with failing_disk(fault, step) as disk, suppress(Killed, LandingError):
            mend(copy)
        assert Store(copy, read_only=True).rows(query) == before, f"change {step}"
        mend(copy)
        assert Store(copy).rows(query) == before
        assert Store(copy).verify() == ()
        assert is_tidy(copy)
        if not disk.has_struck:
            break
    assert step > 3


def is_tidy(root: Path) -> bool:
    """No small files, and no segment files but the live ones."""
    segments = list((root / "segments").glob("*.parquet"))
    return len(segments) == 3 * len(read_current(root)) and not files_in(root / "attempts")


def done(act: Act, root: Path) -> Path:
    act(root)
    return root


@pytest.mark.parametrize("fault", Fault)
def test_a_checkpoint_is_the_former_or_the_new_one(fault: Fault, tmp_path: Path) -> None:
    path, config = tmp_path / "cell.ckpt", {"seed": 0}
    for step in count(1):
        checkpoint.save(path, {"config": config, "epoch": 1})
        with failing_disk(fault, step) as disk, suppress(Killed, OSError):
            checkpoint.save(path, {"config": config, "epoch": 2})
        found = checkpoint.load(path, config)
        assert found is not None
        assert found["epoch"] in (1, 2)
        if not disk.has_struck:
            break
    assert found["epoch"] == 2
    assert step > 3
