"""A key may have several results, an edition each: none is lost, and none takes another's place."""

import json
from dataclasses import replace
from typing import Any

import pytest

from storage.attempt import Attempt
from storage.landing import Landing, has_result, land_attempt
from storage.segments.compaction import compact
from storage.standing.fingerprint import is_same_fingerprint
from storage.store import Store
from tests.storage.conftest import attempt_of


def sources(digest: str, origin: str = "my_loss.py") -> str:
    return json.dumps({"loss": {"name": "my_loss", "origin": origin, "sha256": digest}})


def made_with(digest: str, run: int = 0, **changes: Any) -> Attempt:
    return attempt_of(0, run=run, sources=sources(digest), **changes)


def results(root) -> list[tuple[Any, ...]]:
    query = "select attempt, edition from attempts order by edition"
    return [(attempt, edition or 0) for attempt, edition in Store(root).rows(query)]


@pytest.mark.parametrize("compacted", [False, True])
def test_a_result_of_other_code_is_the_next_edition(root, compacted):
    old, new = made_with("a"), made_with("b", run=1)
    assert land_attempt(root, old).edition == 0
    if compacted:
        compact(root)
    landing = land_attempt(root, new)
    assert landing == Landing(root / "attempts" / f"{new.key}.1.parquet", True, (), 1)
    assert results(root) == [(old.attempt, 0), (new.attempt, 1)]
    compact(root)
    assert results(root) == [(old.attempt, 0), (new.attempt, 1)]
    assert [has_result(root, new.key, edition) for edition in range(3)] == [True, True, False]


@pytest.mark.parametrize("compacted", [False, True])
def test_a_result_finds_the_edition_that_it_repeats(root, compacted):
    for run, digest in enumerate("abc"):
        land_attempt(root, made_with(digest, run))
    if compacted:
        compact(root)
    again = land_attempt(root, made_with("b", run=1))
    assert (again.is_new, again.edition, again.conflicts) == (False, 1, ())
    other = land_attempt(root, made_with("c", run=9))
    assert (other.is_new, other.edition) == (False, 2)
    assert "test_accuracy" in other.conflicts
    assert len(results(root)) == 3


def test_an_edition_lands_where_it_says(root):
    first, second = attempt_of(0), attempt_of(0, run=1, edition=1)
    assert land_attempt(root, second).edition == 1
    assert not has_result(root, first.key)
    assert land_attempt(root, first).edition == 0
    compact(root)
    assert results(root) == [(first.attempt, 0), (second.attempt, 1)]
    store = Store(root)
    assert store.rows("select count(*) from epochs") == [(6,)]


def test_a_file_under_another_edition_is_not_served(root):
    path = land_attempt(root, attempt_of(0)).path
    path.rename(path.with_name(f"{attempt_of(0).key}.1.parquet"))
    (damage,) = Store(root).damaged
    assert damage.reason == "it does not hold the attempt that its name says"


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        ({}, True),
        ({"sources": None}, True),
        ({"sources": sources("b")}, False),
        ({"sources": sources("a", "another/my_loss.py")}, True),
        ({"sources": json.dumps({"noise": {"name": "x", "sha256": "c"}})}, True),
        ({"train_data_sha256": "2"}, False),
        ({"test_data_sha256": "3"}, True),
        ({"config": json.dumps({"loss": {"name": "ce", "p": 6.0}})}, False),
        ({"config": json.dumps({"loss": {"name": "ce"}, "new": 1})}, True),
        ({"config": json.dumps({"augmentation": [{"name": "flip"}, {"name": "crop"}]})}, False),
    ],
)
def test_what_one_side_does_not_know_makes_no_difference(change, is_same):
    config = {"loss": {"name": "ce", "p": 2.0}, "augmentation": [{"name": "crop"}]}
    row = {"config": json.dumps(config), "sources": sources("a"), "train_data_sha256": "1"}
    assert is_same_fingerprint(row, {**row, **change}) is is_same
    assert is_same_fingerprint({**row, **change}, row) is is_same


def test_committed_code_is_known_by_its_revision():
    old = {"config": "{}", "sources": sources("a", "built-in")}
    new = {"config": "{}", "sources": sources("b", "built-in")}
    assert is_same_fingerprint(old, new)
    assert not is_same_fingerprint(old, {**new, "sources": sources("b")})


def test_an_edition_keeps_its_place_when_it_is_damaged(root):
    land_attempt(root, made_with("a"))
    path = land_attempt(root, made_with("b", run=1)).path
    path.write_bytes(b"PAR1")
    landing = land_attempt(root, replace(made_with("b", run=1), edition=1))
    assert (landing.is_new, landing.path) == (True, path)
