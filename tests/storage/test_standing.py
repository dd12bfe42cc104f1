"""The one judgement: where a planned cell stands, and in which words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from storage.attempt import PlannedCell
from storage.standing.judgement import (
    Failures,
    Known,
    Moved,
    Result,
    Standing,
    changed_sources,
    flat,
    judge,
)

CONFIG = {
    "loss": {"name": "gce", "q": 0.7},
    "augmentation": [{"name": "crop", "padding": 4}, {"name": "flip"}],
    "learning_rate": 0.1,
    "seed": 0,
}


def source(sha256: str | None, origin: str = "plug-in", name: str = "mine") -> dict[str, Any]:
    return {"name": name, "origin": origin, "sha256": sha256}


def sources(**fields: dict[str, Any]) -> str:
    return json.dumps(fields)


def cell(**changes: Any) -> PlannedCell:
    values = {
        "study": "s",
        "phase": "main",
        "position": 0,
        "key": "k",
        "base_key": "b",
        "seed": 0,
        "axes": {},
        "config": json.dumps(CONFIG),
        "skipped": None,
        "revisions": '{"loss": 2}',
        "sources": sources(loss=source("a")),
        "train_data_sha256": "t",
        "test_data_sha256": "e",
    }
    return PlannedCell(**{**values, **changes})


def result(**changes: Any) -> Result:
    values = {
        "key": "k",
        "base_key": "b",
        "attempt": f"attempt-{changes.get('edition', 0)}",
        "edition": 0,
        "outcome": "finished",
        "config": json.dumps(CONFIG),
        "revisions": '{"loss": 2}',
        "sources": sources(loss=source("a")),
        "train_data_sha256": "t",
        "test_data_sha256": "e",
    }
    return Result(**{**values, **changes})


def known(*results: Result, **changes: Any) -> Known:
    return Known({"k": results}, **changes) if results else Known(**changes)


def reason(asked: PlannedCell, there: Known) -> str:
    verdict = judge(asked, there)
    assert verdict.standing is Standing.STALE
    return verdict.reason


def test_equal_in_all_is_done() -> None:
    verdict = judge(cell(), known(result(outcome="diverged")))
    assert (verdict.standing, verdict.reason, verdict.unknown) == (Standing.DONE, "", ())
    assert verdict.outcome == "diverged"


def test_the_strongest_reason_comes_first() -> None:
    failed = {"k": Failures(2, "exception", "boom")}
    there = known(result(), failures=failed, revisions={"b": '{"loss": 1}'})
    assert judge(cell(skipped="why"), there).standing is Standing.SKIPPED
    assert judge(cell(key=None), there).standing is Standing.PENDING
    assert judge(cell(), there).standing is Standing.DONE
    there = Known(failures=failed, revisions={"b": '{"loss": 1}'})
    assert judge(cell(), there).reason == "2 failed attempts: boom"
    assert judge(cell(), Known(revisions={"b": '{"loss": 1}'})).reason == "revision of loss 1 → 2"
    assert judge(cell(), Known()).standing is Standing.NEW
    assert [word for word in Standing if word.is_due] == ["new", "failed", "stale"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"loss": {"name": "gce", "q": 0.5}}, "loss.q was 0.5, is 0.7"),
        ({"loss": {"name": "gce", "q": None}}, "loss.q was null, is 0.7"),
        ({"learning_rate": 0.2}, "learning_rate was 0.2, is 0.1"),
        (
            {"augmentation": [{"name": "crop", "padding": 2}, {"name": "flip"}]},
            "augmentation[0].padding was 2, is 4",
        ),
        ({"loss": {"name": "gce", "q": 0.5}, "learning_rate": 0.2},
         "loss.q was 0.5, is 0.7; learning_rate was 0.2, is 0.1"),
    ],
)  # fmt: skip
def test_a_value_that_is_another_is_told_with_both(change: dict[str, Any], words: str) -> None:
    assert reason(cell(), known(result(config=json.dumps({**CONFIG, **change})))) == words


@pytest.mark.parametrize("change", [{"loss": {"name": "gce"}}, {"new_field": 3}])
def test_a_field_of_one_side_only_is_newer_than_the_other(change: dict[str, Any]) -> None:
    other = json.dumps({**CONFIG, **change})
    assert judge(cell(), known(result(config=other))).standing is Standing.DONE
    assert judge(cell(config=other), known(result())).standing is Standing.DONE


def test_numbers_are_compared_not_their_texts() -> None:
    text = json.dumps(CONFIG).replace("0.1", "1e-1")
    assert judge(cell(), known(result(config=text))).standing is Standing.DONE


def test_flat_names_stand_for_their_fields() -> None:
    assert flat(CONFIG) == {
        "loss": "gce",
        "loss.q": 0.7,
        "augmentation": ["crop", "flip"],
        "augmentation[0]": "crop",
        "augmentation[0].padding": 4,
        "augmentation[1]": "flip",
        "learning_rate": 0.1,
        "seed": 0,
    }


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (source("a"), source("b"), "the code of loss mine has changed"),
        (source("a", "built-in"), source("b", "edited"), "the code of loss mine has changed"),
        (source("a", "edited"), source("b", "built-in"), "the code of loss mine has changed"),
        (source("a", "edited"), source("b", "edited"), "the code of loss mine has changed"),
        (source("a", "built-in"), source("b", "built-in"), None),  # its revision speaks for it
        (source("a", "edited"), source("a", "built-in"), None),  # committed as it was
        (source("a", "edited"), source("a", "edited"), None),
    ],
)
def test_code_is_compared(before: dict[str, Any], after: dict[str, Any], words: str | None) -> None:
    asked, there = cell(sources=sources(loss=after)), known(result(sources=sources(loss=before)))
    assert (judge(asked, there).reason or None) == words


def test_code_has_the_same_name_at_every_place_of_a_list() -> None:
    before = sources(**{"augmentation[1]": source("a"), "engine": source("x", "edited", "engine")})
    after = sources(**{"augmentation[1]": source("b"), "engine": source("y", "edited", "engine")})
    assert changed_sources(before, after) == (
        ("augmentation mine", "a", "b"),
        ("the engine", "x", "y"),
    )
    words = "the code of augmentation mine has changed; the code of the engine has changed"
    assert reason(cell(sources=after), known(result(sources=before))) == words


@pytest.mark.parametrize(
    ("here", "there", "unknown"),
    [
        ({"sources": None}, {}, ("code",)),
        ({}, {"sources": None}, ("code",)),
        ({"sources": sources(loss=source(None))}, {}, ("code",)),  # as in a notebook
        ({}, {"sources": sources(loss=source(None))}, ("code",)),
        ({"train_data_sha256": None, "test_data_sha256": None}, {}, ("data",)),
        ({}, {"train_data_sha256": None, "test_data_sha256": None}, ("data",)),
        ({}, {"test_data_sha256": None}, ("data",)),
        ({}, {"sources": None, "train_data_sha256": None}, ("code", "data")),
    ],
)
def test_what_a_side_does_not_know_is_unknown_not_equal(
    here: dict[str, Any], there: dict[str, Any], unknown: tuple[str, ...]
) -> None:
    verdict = judge(cell(**here), known(result(**there)))
    assert (verdict.standing, verdict.unknown) == (Standing.DONE, unknown)


def test_the_half_that_is_known_is_compared() -> None:
    there = known(result(test_data_sha256=None, train_data_sha256="other"))
    assert reason(cell(), there) == "the training data are not those of the result"


def test_any_edition_may_answer_and_the_newest_first() -> None:
    old, new = result(), result(edition=1, sources=sources(loss=source("b")))
    assert judge(cell(), known(new, old)).result == old
    assert judge(cell(sources=new.sources), known(new, old)).result == new
    assert judge(cell(sources=None), known(new, old)).result == new


def test_a_decision_against_the_result_that_would_answer_is_the_reason() -> None:
    old = result(redo="a bad node")
    new = result(edition=1, sources=sources(loss=source("b")))
    assert reason(cell(), known(new, old)) == "to be run anew: a bad node"
    assert reason(cell(sources=sources(loss=source("c"))), known(new, old)) == (
        "the code of loss mine has changed"
    )
    assert known(new, old).next_edition("k") == 2


def test_accepted_code_stands_for_the_other_of_its_component_alone() -> None:
    asked, there = cell(sources=sources(loss=source("b"))), result()
    for component, standing in (("loss mine", "done"), ("loss other", "stale")):
        accepted = frozenset({(component, "a", "b")})
        assert judge(asked, known(there, accepted=accepted)).standing == standing


@pytest.mark.parametrize(
    ("moved", "words"),
    [
        (Moved("config", "loss.p", "2.0", "6.0"), "loss.p was 2.0, is 6.0"),
        (Moved("data", "test"), "the test data are not those of the result"),
        (Moved("revision", "loss", "1", "2"), "revision of loss 1 → 2"),
        (Moved("redo", "", "a bad node"), "to be run anew: a bad node"),
    ],
)
def test_words(moved: Moved, words: str) -> None:
    assert moved.words == words
