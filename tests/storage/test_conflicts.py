"""A result that contradicts the one of its cell is kept for good, seen in SQL, and told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from storage import Store
from storage.landing import keep_conflict, land_attempt
from storage.schema import METRICS, VIEWS
from storage.segments.compaction import compact


def rival(attempt, index: int = 1, *, by: float = 0.038, **changes):
    """The same cell once more, its last test accuracy moved."""
    first = attempt(index)
    values = list(first.curves["test_accuracy"])
    values[-1] += by
    curves = {**first.curves, "test_accuracy": tuple(values)}
    return attempt(index, attempt="rival", curves=curves, **changes)


@pytest.mark.parametrize("compacted", [False, True])
def test_a_contradiction_is_kept_and_the_first_stands(root: Path, attempt, compacted: bool):
    land_attempt(root, attempt(1, device="cpu", num_threads=1, packages='{"torch": "2.4"}'))
    if compacted:
        compact(root)
    other = rival(attempt, device="cpu", num_threads=2, packages='{"torch": "2.9"}', host="far")
    for _ in range(2):
        assert land_attempt(root, other).conflicts == ("test_accuracy",)
    assert [path.name for path in (root / "conflicts").iterdir()] == [
        f"{attempt(1).key}.rival.parquet"
    ]
    store = Store(root)
    (conflict,) = store.conflicts()
    assert (conflict.key, conflict.edition, conflict.columns) == (
        attempt(1).key,
        0,
        ("test_accuracy",),
    )
    assert conflict.largest_difference == pytest.approx(0.038)
    assert conflict.conditions == (("torch", "2.4", "2.9"), ("num_threads", 1, 2))
    assert conflict.standing is not None
    assert (conflict.standing.attempt, conflict.kept.attempt) == (attempt(1).attempt, "rival")
    assert (conflict.standing.host, conflict.kept.host) == ("node", "far")
    assert store.conflicting_keys() == {attempt(1).key}
    assert store.rows("select test_accuracy from cells") == [
        (attempt(1).curves["test_accuracy"][-1],)
    ]


def test_the_view_has_its_columns_and_an_empty_store_has_none(root: Path, attempt):
    assert Store(root).conflicts() == ()
    land_attempt(root, attempt(1))
    land_attempt(root, rival(attempt))
    relation = Store(root).sql("select * from conflicts")
    assert relation.columns == [column.name for column in VIEWS["conflicts"]]
    assert len(relation.fetchall()) == 1


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_is_compared(root: Path, attempt, metric: str):
    first = attempt(1)
    # No run that finished lacks a training loss.
    other = 0.125 if metric == "train_loss" else None
    curves = {**first.curves, metric: (other, *first.curves[metric][1:])}
    land_attempt(root, first)
    land_attempt(root, attempt(1, attempt="rival", curves=curves))
    assert [one.columns for one in Store(root).conflicts()] == [(metric,)]


def test_the_same_numbers_are_no_contradiction(root: Path, attempt):
    curves = {**attempt(1).curves, "test_loss": (None, 0.5, 1e-300)}
    for name in ("a", "b"):
        land_attempt(root, attempt(1, attempt=name, curves=curves))
    assert not (root / "conflicts").exists()


def test_a_compaction_leaves_them(root: Path, attempt):
    land_attempt(root, attempt(1))
    land_attempt(root, rival(attempt))
    before = Store(root).conflicts()
    compact(root)
    assert Store(root).conflicts() == before


def test_without_the_standing_result_it_is_still_told(root: Path, attempt):
    landed = land_attempt(root, attempt(1)).path
    land_attempt(root, rival(attempt))
    landed.unlink()
    (conflict,) = Store(root).conflicts()
    assert (conflict.standing, conflict.columns, conflict.conditions) == (None, (), ())


def test_packages_that_are_not_json_do_not_break_the_view(root: Path, attempt):
    land_attempt(root, attempt(1, packages=json.dumps({"torch": "2.9"})))
    keep_conflict(root, rival(attempt, packages="{"))
    assert Store(root).conflicts()[0].conditions == (("torch", "2.9", None),)


def test_damage_is_found_by_verify_and_misplaced_files_are_not_served(root: Path, attempt):
    land_attempt(root, attempt(1))
    land_attempt(root, rival(attempt))
    (path,) = (root / "conflicts").iterdir()
    path.with_name(f"{'a' * 64}.rival.parquet").write_bytes(path.read_bytes())
    path.write_bytes(path.read_bytes()[:-1])
    assert len(Store(root, read_only=True).verify()) == 2
    store = Store(root)
    assert store.damaged == ()
    assert store.conflicts() == ()
    assert {Path(one.moved_to).parent.name for one in store.damaged} == {"quarantine"}
