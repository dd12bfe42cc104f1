"""Results that are to be made anew: which, and what a study makes of it."""

from __future__ import annotations

import pytest

from orchestrator.inspection.asked import asked_study
from orchestrator.inspection.redo import WhereError, answers, matching, redo
from storage import Store
from storage.attempt import PlannedCell
from storage.records.decisions import land_decisions
from tests.orchestrator.bench import STUDY, Bench, needs_editions

GRID = (
    STUDY + "losses: {CE: ce, MAE: mae}\ngrid: {loss: all, learning_rate: [0.1, 0.2]}\nseeds: 2\n"
)


def cells(bench: Bench, *where: str) -> list[PlannedCell]:
    asked = asked_study("tiny.yaml", (), Store(bench.store), bench.folder)
    return matching(asked.record, where)


def redone(bench: Bench, *where: str, why: str = "a bad node") -> int:
    """Says of what answers these cells that it shall be made anew."""
    found = answers(cells(bench, *where), Store(bench.store).known)
    if found:
        land_decisions(bench.store, list(redo(found, why)))
    return len(found)


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ((), 8),
        (("loss=CE",), 4),
        (("loss=CE", "seed=1"), 2),
        (("learning_rate=0.2", "loss=MAE", "seed=0"), 1),
        (("phase=main",), 8),
    ],
)
def test_conditions_hold_together(bench: Bench, where: tuple[str, ...], count: int) -> None:
    bench.write(GRID)
    assert len(cells(bench, *where)) == count


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("loss", "a condition reads field=value, not 'loss'"),
        ("los=CE", r"no cell has a field 'los' \(did you mean loss\?\)"),
        ("loss=ce", "no cell has loss=ce; there are CE, MAE"),
        ("learning_rate=0.10", r"no cell has learning_rate=0.10 \(did you mean 0.1\?\)"),
    ],
)
def test_a_condition_that_no_cell_meets_is_told(bench: Bench, condition: str, words: str) -> None:
    bench.write(GRID)
    with pytest.raises(WhereError, match=words):
        cells(bench, condition)


def test_only_results_that_answer_can_be_redone(bench: Bench) -> None:
    bench.write(GRID)
    assert redone(bench) == 0


def test_they_no_longer_answer_and_stay_in_the_history(bench: Bench) -> None:
    study = bench.write(GRID)
    bench.launch(study)
    assert redone(bench, "loss=CE") == 4
    assert bench.standings(study) == {"stale": 4, "done": 4}
    assert bench.reasons(study) == {"", "to be run anew: a bad node"}
    assert Store(bench.store).rows("select count(*) from attempts") == [(8,)]
    assert redone(bench, "loss=CE") == 0  # nothing answers any more


@needs_editions
def test_a_launch_makes_them_anew_as_often_as_is_asked(bench: Bench) -> None:
    study = bench.write(STUDY + "  loss: ce\nseeds: 1\n")
    bench.launch(study)
    for edition in (1, 2):
        assert redone(bench) == 1
        (result,) = bench.launch(study).answers.values()
        assert result.edition == edition
        assert bench.standings(study) == {"done": 1}
    store = Store(bench.store)
    assert store.rows("select edition, test_accuracy is not null from cells") == [(2, True)]
    assert len(set(store.rows("select test_accuracy from attempts join cells using (key)"))) == 1


@needs_editions
def test_an_edition_that_is_not_the_newest_can_be_redone(bench: Bench) -> None:
    from tests.orchestrator.plan.test_expectations import EDITED, LOSS, MINE

    study = bench.write(MINE.replace("seeds: 2", "seeds: 1"))
    for code in (LOSS, EDITED):
        bench.write(code, "my_loss.py")
        bench.launch(study)
    bench.write(LOSS, "my_loss.py")
    bench.fresh()
    assert redone(bench) == 1
    assert bench.reasons(study) == {"to be run anew: a bad node"}
    (result,) = bench.launch(study).answers.values()
    assert result.edition == 2
    bench.write(EDITED, "my_loss.py")
    (result,) = bench.plan(study).answers.values()
    assert result.edition == 1
