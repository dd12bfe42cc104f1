"""What is said of a union of stores: what differs, why, and how many more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.inspection.union_lines import conflict_lines, merge_lines
from storage import Store
from storage.landing import land_attempt
from storage.merging import Merge
from storage.records.merging import Asked, Refusal, StudyDifference
from tests.storage.conftest import attempt_of

HERE, THERE = Path("ours"), Path("theirs")


@pytest.fixture
def conflict(tmp_path: Path):
    first = attempt_of(1, device="cpu", num_threads=1, packages='{"torch": "2.4"}')
    accuracy = (*first.curves["test_accuracy"][:-1], first.curves["test_accuracy"][-1] + 0.0384)
    curves = {**first.curves, "test_accuracy": accuracy}
    land_attempt(tmp_path, first)
    land_attempt(tmp_path, replace(first, attempt="b", curves=curves, num_threads=2, packages="{}"))
    return Store(tmp_path).conflicts()[0]


def test_a_conflict_names_its_size_and_what_differs_in_the_conditions(conflict) -> None:
    key = attempt_of(1).key[:12]
    assert list(conflict_lines([conflict])) == [
        f"conflict: {key} differs in test_accuracy, test accuracy by up to 3.84 points; "
        "torch 2.4 here, unknown there; threads 1 here, 2 there"
    ]
    alike = replace(conflict, kept=conflict.standing, origin=THERE, edition=2)
    assert list(conflict_lines([alike])) == [
        f"conflict: {key} (edition 2) of theirs differs in test_accuracy, test accuracy by up to "
        "3.84 points; code version, device, torch, threads and stack are the same; what is here "
        "stays"
    ]
    commit = replace(conflict.kept, code_version="1234567890ab" + 28 * "0")
    (line,) = conflict_lines([replace(alike, kept=commit)])
    assert "; code abc here, 1234567890ab there; " in line
    assert "is not there" in next(conflict_lines([replace(conflict, standing=None)]))


def test_the_first_ten_of_each_kind_are_shown_and_the_rest_counted(conflict) -> None:
    refused = [Refusal(f"{index:064x}", "accuracy is 42.0", THERE) for index in range(12)]
    lines = list(merge_lines(Merge(num_new=3, conflicts=[conflict] * 11, refused=refused)))
    assert sum(line.startswith("conflict: ") for line in lines) == 10
    assert "… and 1 more conflicts" in lines
    assert sum(line.startswith("refused: ") for line in lines) == 10
    assert "refused: 000000000000 of theirs: accuracy is 42.0" in lines
    assert "… and 2 more refused" in lines


def test_a_refused_record_is_named_whole() -> None:
    refusal = Refusal("studies/-rf.parquet", "its name is not that of a record", THERE)
    lines = list(merge_lines(Merge(refused=[refusal])))
    assert lines[-1] == "refused: studies/-rf.parquet of theirs: its name is not that of a record"


def test_studies_that_differ_say_what_each_asks_for() -> None:
    fewer = StudyDifference("tiny", Asked((), 12), Asked(("seeds=1",), 4), 4, THERE)
    other = StudyDifference("tiny", Asked((), 12), Asked((), 12), 12, THERE)
    assert list(merge_lines(Merge(differences=[fewer, other])))[1:] == [
        "study tiny of theirs: ours asks for 12 cells, theirs for 4 cells (overrides seeds=1), "
        "4 are the same; ours stays",
        "study tiny of theirs: the same 12 cells, but another text, overrides, tables, "
        "code or data; ours stays",
    ]
