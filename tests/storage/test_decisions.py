"""Decisions land, are read again, and say which code stands for which."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage import Store
from storage.attempt import Attempt
from storage.landing import land_attempt
from storage.records.decisions import Decision, accepted, land_decisions, redone
from tests.storage.conftest import attempt_of, failure_of

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def accept(before: str, after: str, component: str | None = "loss mine") -> Decision:
    return Decision("accept", "k", "a", "equal", NOW, component, before, after)


def test_decisions_are_kept_one_file_each_time(root: Path) -> None:
    decisions = [Decision("redo", "k", "a", "a bad node", NOW), accept("x", "y")]
    for decision in decisions:
        land_decisions(root, [decision])
    assert len(list((root / "decisions").iterdir())) == 2
    store = Store(root)
    assert set(store.decisions) == set(decisions)
    assert store.rows("select kind, reason, component, decided_at from decisions order by 1") == [
        ("accept", "equal", "loss mine", NOW.replace(tzinfo=None)),
        ("redo", "a bad node", None, NOW.replace(tzinfo=None)),
    ]


def test_a_damaged_decision_is_set_aside_and_told(root: Path) -> None:
    path = land_decisions(root, [accept("x", "y")])
    path.write_bytes(path.read_bytes()[:-20])
    store = Store(root)
    assert store.decisions == ()
    assert [damage.path for damage in store.damaged] == [path]


@pytest.mark.parametrize("order", [("ab", "bc", "cd"), ("ab", "cd", "bc"), ("cb", "ba", "dc")])
def test_code_stands_for_other_code_through_a_third(order: tuple[str, ...]) -> None:
    pairs = accepted(accept(*letters) for letters in order)
    assert {(a, b) for _, a, b in pairs} == {(a, b) for a in "abcd" for b in "abcd" if a != b}


def test_but_not_across_components() -> None:
    pairs = accepted([accept("a", "b", "loss one"), accept("b", "c", "loss two")])
    assert pairs == {
        ("loss one", "a", "b"),
        ("loss one", "b", "a"),
        ("loss two", "b", "c"),
        ("loss two", "c", "b"),
    }


def test_what_says_nothing_of_code_accepts_none() -> None:
    silent = Decision("accept", "k", "a", "", NOW)
    assert accepted([Decision("redo", "k", "a", "", NOW), silent, accept("a", "b", None)]) == set()
    assert redone([Decision("redo", "k", "a", "why", NOW), silent]) == {"a": "why"}


def test_a_result_to_be_run_anew_no_longer_counts_and_stays(
    root: Path, attempt: Callable[..., Attempt]
) -> None:
    first = attempt(0)
    land_attempt(root, first)
    land_attempt(root, attempt(1))
    land_decisions(root, [Decision("redo", first.key, first.attempt, "why", NOW)])
    store = Store(root)
    assert store.rows("select count(*) from attempts") == [(2,)]
    for view in ("cells", "epochs"):
        assert store.rows(f"select count(*) from {view} where key = $1", [first.key]) == [(0,)]
    (result,) = store.known.results[first.key]
    assert result.redo == "why"


def test_attempts_tell_which_results_are_superseded(root: Path) -> None:
    old, new = attempt_of(0), attempt_of(0, run=1, edition=1, sources="{}")
    put_aside, other = attempt_of(1), attempt_of(2)
    for one in (old, put_aside, other, failure_of(3)):
        land_attempt(root, one)
    redo = [Decision("redo", one.key, one.attempt, "a bad node", NOW) for one in (old, put_aside)]
    land_decisions(root, redo)
    land_attempt(root, new)
    query = "select attempt from attempts where superseded order by attempt"
    assert Store(root).rows(query) == sorted([(old.attempt,), (put_aside.attempt,)])
    assert Store(root).rows("select count(*) from attempts where not superseded") == [(3,)]


def test_a_newer_edition_supersedes_without_a_decision(root: Path) -> None:
    old, new = attempt_of(0), attempt_of(0, run=1, edition=1, train_data_sha256="b" * 64)
    for one in (old, new):
        land_attempt(root, one)
    rows = Store(root).rows("select edition, superseded from attempts order by edition")
    assert rows == [(0, True), (1, False)]
