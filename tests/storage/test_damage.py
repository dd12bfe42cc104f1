"""Damage costs what is damaged: a group of curves at most, no result; no wrong row is served."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from storage import integrity
from storage.landing import attempt_table, has_result, land_attempt
from storage.layout import result_path
from storage.reading import Attempts, Reader
from storage.segments import files
from storage.segments.compaction import compact, mend
from storage.segments.files import GROUP_ROWS, read_current
from storage.store import Store
from tests.storage.conftest import attempt_of, failure_of

NUM_RESULTS = 310
SUFFIXES = ("attempts", "copy", "curves")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One segment of 310 results and a failure."""
    root = tmp_path_factory.mktemp("damage") / "results"
    result_path(root, "0" * 64).parent.mkdir(parents=True)
    for index in range(NUM_RESULTS):
        attempt = attempt_of(index)
        result_path(root, attempt.key).write_bytes(integrity.encode(attempt_table(attempt)))
    land_attempt(root, failure_of(NUM_RESULTS))
    compact(root)
    assert len(read_current(root)) == 1
    return root


@pytest.fixture(scope="module")
def truth(whole: Path) -> dict[str, Any]:
    return served(whole)


@pytest.fixture
def root(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "results"))


def served(root: Path) -> dict[str, Any]:
    """Attempt → its facts and figures; attempt → its curves, where they are served."""
    attempts = Attempts(Reader(root, read_only=True))
    curves = {
        row["attempt"]: row
        for table in attempts.curves()
        for row in table.to_pylist()
        if row["epoch"]
    }
    facts = {row["attempt"]: row for row in attempts.compacted.to_pylist()}
    attempts.close()
    return {"facts": facts, "curves": curves}


def file_of(root: Path, suffix: str) -> Path:
    (path,) = (root / "segments").glob(f"*.{suffix}.parquet")
    return path


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def is_part(part: dict[str, Any], whole: dict[str, Any]) -> bool:
    return all(whole[name] == value for name, value in part.items())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_flipped_byte_costs_no_result_and_at_most_a_group_of_curves(root, truth, suffix):
    path = file_of(root, suffix)
    content = path.read_bytes()
    ends = {1, len(content) - 2, len(content) - 6, len(content) - 100}  # magic, length, footer
    positions = sorted(ends | set(range(50, len(content), len(content) // 11)))
    for position in positions:
        flip(path, position)
        now = served(root)
        assert now["facts"] == truth["facts"], position
        assert is_part(now["curves"], truth["curves"]), position
        assert len(now["curves"]) >= NUM_RESULTS - GROUP_ROWS, position
        path.write_bytes(content)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("share", [0.0, 0.4, 0.999])
def test_a_truncated_file_costs_no_result_and_the_curves_that_are_gone(root, truth, suffix, share):
    path = file_of(root, suffix)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    now = served(root)
    assert now["facts"] == truth["facts"]
    assert is_part(now["curves"], truth["curves"])
    kept = NUM_RESULTS if suffix != "curves" else int(share * NUM_RESULTS) - GROUP_ROWS
    assert len(now["curves"]) >= kept


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_lost_file_costs_no_result(root, truth, suffix):
    file_of(root, suffix).unlink()
    store = Store(root)
    assert store.verify()[0].reason == "it is missing"
    assert served(root)["facts"] == truth["facts"]
    mend(root)
    assert served(root)["facts"] == truth["facts"]
    assert Store(root).verify() == ()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_done_is_the_same_before_and_after_verify_and_mending(root, truth, suffix):
    path = file_of(root, suffix)
    flip(path, path.stat().st_size // 2)
    counts = []
    for look in (Store.verify, Store.verify, None, Store.verify):
        store = Store(root)
        counts.append(store.rows("select count(*) from cells"))
        if look:
            look(store)
            assert store.rows("select count(*) from cells") == counts[0]
        else:
            mend(root)
    assert counts == [[(NUM_RESULTS,)]] * 4
    assert Store(root).verify() == ()
    assert is_part(served(root)["curves"], truth["curves"])
    assert len(list((root / "quarantine").iterdir())) in (1, 3)  # the file, or all three


def test_damage_says_how_much_is_lost_and_figures_stay(root, attempt):
    path = file_of(root, "curves")
    flip(path, path.stat().st_size // 2)
    store = Store(root)
    (damage,) = store.verify()
    assert damage.path == path
    assert damage.moved_to is None
    assert 1 <= damage.num_lost <= GROUP_ROWS
    assert f"the curves of {damage.num_lost} results are missing" in damage.cost
    epochs = store.rows("select count(distinct key) from epochs")
    assert epochs == [(NUM_RESULTS - damage.num_lost,)]
    assert store.rows("select count(test_accuracy) from cells") == [(NUM_RESULTS,)]
    keys = [attempt(index).key for index in range(NUM_RESULTS)]
    assert store.rows("select count(*) from cells where key = any($1)", [keys]) == [(NUM_RESULTS,)]


def test_curves_that_were_lost_are_still_counted_after_mending(root):
    assert Store(root).num_without_curves() == 0
    path = file_of(root, "curves")
    flip(path, path.stat().st_size // 2)
    (damage,) = Store(root).verify()
    mend(root)
    assert Store(root).verify() == ()
    assert Store(root).num_without_curves() == damage.num_lost > 0


def test_figures_survive_a_merge_of_segments_without_their_curves(root, truth, attempt):
    path = file_of(root, "curves")
    path.write_bytes(b"nothing left")
    land_attempt(root, attempt(NUM_RESULTS + 1))
    compact(root)
    assert len(read_current(root)) == 1
    now = served(root)["facts"]
    assert is_part(truth["facts"], now)
    assert len(now) == NUM_RESULTS + 2
    assert Store(root).verify() == ()


def test_a_lost_result_is_run_again_and_a_kept_one_is_known(root, attempt):
    flip(file_of(root, "attempts"), 1000)
    assert has_result(root, attempt(0).key)
    assert not land_attempt(root, attempt(0)).is_new
    flip(file_of(root, "copy"), 1000)  # now nothing is left
    assert not has_result(root, attempt(0).key)
    assert [one.num_lost for one in Store(root).damaged] == [NUM_RESULTS + 1]
    assert land_attempt(root, attempt(0)).is_new
    compact(root)
    assert Store(root).damaged == ()
    assert Store(root).rows("select count(*) from cells") == [(1,)]
    assert len(list((root / "quarantine").iterdir())) == 3


def test_curves_that_are_lost_are_no_conflict(root, attempt):
    file_of(root, "curves").write_bytes(b"nothing left")
    again = land_attempt(root, attempt(0, run=1))
    assert (again.is_new, again.conflicts) == (False, ())


def test_a_lost_pointer_and_a_damaged_file_lose_nothing_together(root, truth):
    flip(file_of(root, "attempts"), 1000)
    files.pointer_path(root).write_text("[]")
    assert served(root)["facts"] == truth["facts"]
    mend(root)
    assert served(root) == truth


def test_a_segment_of_an_older_version_keeps_its_results_without_curves(root, truth, monkeypatch):
    file_of(root, "copy").unlink()
    monkeypatch.setattr(files, "FOOTER_KEY", b"none")
    flip(file_of(root, "curves"), 1000)
    now = served(root)
    assert now["facts"] == truth["facts"]
    assert now["curves"] == {}
