"""What `report FILE`, `status FILE` and a name mean: files as they stand, names as launched."""

from __future__ import annotations

import pytest

from orchestrator.inspection.asked import AskedError, AskedStudy, asked_study, is_file
from orchestrator.study.text import StudyError
from storage import Store
from storage.reporting.report import StudyNotFoundError
from tests.orchestrator.bench import STUDY, Bench

GRID = (
    STUDY
    + """
losses: {CE: ce, MAE: mae}
grid: {loss: all}
seeds: 2
tables: {accuracy: {rows: [loss], columns: [learning_rate]}}
"""
)


def ask(bench: Bench, given: str, *overrides: str) -> AskedStudy:
    return asked_study(given, overrides, Store(bench.store), bench.folder)


def statuses(bench: Bench, asked: AskedStudy) -> dict[str, int]:
    (tally,) = asked.report(Store(bench.store)).tallies
    return {status.value: count for status, count in tally.counts.items() if count}


@pytest.mark.parametrize(
    ("given", "answer"),
    [("tiny.yaml", True), ("a.yml", True), ("./tiny", True), ("a/b", True), ("tiny", False)],
)
def test_files_are_told_from_names(given: str, answer: bool) -> None:
    assert is_file(given) is answer


def test_a_file_that_was_launched_as_it_stands_has_nothing_to_remark(bench: Bench) -> None:
    bench.launch(bench.write(GRID))
    asked = ask(bench, "tiny.yaml")
    assert asked.remarks == ()
    assert statuses(bench, asked) == {"finished": 4}
    assert ask(bench, "tiny").record.planned == asked.record.planned


def test_a_file_is_drawn_by_its_text_not_by_its_name(bench: Bench) -> None:
    bench.launch(bench.write(GRID.replace("Tiny", "The launched one")))
    path = bench.write(GRID.replace("study: tiny", "study: other"), "tiny.yaml")
    asked = ask(bench, str(path))
    assert asked.record.name == "other"
    assert asked.remarks == ("this study was not launched into this store",)
    assert statuses(bench, asked) == {"finished": 4}  # its cells are those of the other


def test_overrides_are_part_of_what_is_drawn(bench: Bench) -> None:
    bench.launch(bench.write(GRID))
    asked = ask(bench, "tiny.yaml", "cell.epochs=2", "seeds=1")
    assert asked.record.overrides == ("cell.epochs=2", "seeds=1")
    assert statuses(bench, asked) == {"not run": 2}
    assert asked.remarks == (
        "the last launch had the overrides (none)",
        "2 of its 2 cells were not part of the last launch, 4 cells of the last launch are no "
        "part of it now",
    )


def test_a_launch_with_overrides_is_not_shown_under_the_file(bench: Bench) -> None:
    study = bench.write(GRID)
    bench.launch(study, "cell.epochs=2", "seeds=1")
    asked = ask(bench, "tiny.yaml")
    assert statuses(bench, asked) == {"not run": 4}
    assert "the last launch had the overrides cell.epochs=2 seeds=1" in asked.remarks
    assert statuses(bench, ask(bench, "tiny")) == {"finished": 2}


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("seeds: 2", "seeds: 3", {"finished": 4, "not run": 2}),
        ("epochs: 1", "epochs: 2", {"not run": 4}),
        ("rows: [loss]", "value: test_loss, rows: [loss]", {"finished": 4}),
    ],
)
def test_edits_show_without_a_launch(
    bench: Bench, before: str, after: str, shown: dict[str, int]
) -> None:
    bench.launch(bench.write(GRID))
    bench.write(GRID.replace(before, after))
    asked = ask(bench, "tiny.yaml")
    assert statuses(bench, asked) == shown
    assert len(asked.remarks) == 1
    (table,) = asked.report(Store(bench.store)).tables
    assert table.spec.value == ("test_loss" if "test_loss" in after else "test_accuracy")


def test_another_file_of_the_same_study_name_is_told(bench: Bench) -> None:
    bench.launch(bench.write(GRID))
    bench.write(GRID.replace("MAE: mae", "MAE: gce"), "twin.yaml")
    asked = ask(bench, "twin.yaml")
    first, second = asked.remarks
    assert first == f"the last launch of a study named tiny was of {bench.folder / 'tiny.yaml'}"
    assert second.startswith("2 of its 4 cells")


def test_a_name_takes_no_overrides(bench: Bench) -> None:
    bench.launch(bench.write(GRID))
    with pytest.raises(AskedError, match=r"seeds=1: a launched study is shown as it was launched"):
        ask(bench, "tiny", "seeds=1")


def test_what_is_not_there_is_told(bench: Bench) -> None:
    with pytest.raises(StudyNotFoundError, match="no study 'tiny'"):
        ask(bench, "tiny")
    with pytest.raises(StudyError):
        ask(bench, "absent.yaml")


def test_a_file_never_writes_into_the_store(bench: Bench) -> None:
    bench.write(GRID)
    assert statuses(bench, ask(bench, "tiny.yaml")) == {"not run": 4}
    assert not bench.store.exists()
