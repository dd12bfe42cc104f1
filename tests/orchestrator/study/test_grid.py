"""Study → cells."""

from __future__ import annotations

import pytest

from orchestrator.study.pick import Pick
from orchestrator.study.text import StudyError

GRID = "grid: {loss: all, noise.kind: symmetric, noise.rate: [0, 0.4]}\nseeds: 2\n"


def test_grid_is_the_product_in_the_study_s_order(cells) -> None:
    found = cells(GRID)
    assert len(found) == 12
    assert [(c.axes["loss"], c.axes["noise.rate"], c.seed) for c in found[:4]] == [
        ("CE", "0", 0),
        ("CE", "0", 1),
        ("CE", "0.4", 0),
        ("CE", "0.4", 1),
    ]
    assert {c.axes["loss"] for c in found} == {"CE", "MAE*", "genCE"}


def test_clean_cells_of_two_noise_kinds_are_one_cell(cells) -> None:
    found = cells("grid: {loss: CE, noise.kind: [symmetric, asymmetric], noise.rate: [0, 0.4]}")
    assert len(found) == 4
    assert len({c.cell.key for c in found}) == 3


def test_parameters_belong_to_their_loss(cells) -> None:
    found = {c.axes["loss"]: c.cell.config.loss for c in cells("grid: {loss: all}")}
    assert found["genCE"].get("q") == 0.7
    assert found["MAE*"].get("logit_bias") == 0.5
    assert found["CE"].get("q") is None


def test_zip_advances_together_and_blocks_unite(cells) -> None:
    zipped = cells("zip: [{learning_rate: [0.1, 0.2], batch_size: [8, 16]}]\ngrid: {loss: CE}")
    assert [(c.axes["learning_rate"], c.axes["batch_size"]) for c in zipped] == [
        ("0.1", "8"),
        ("0.2", "16"),
    ]
    united = cells(
        "grid: {loss: CE}\nblocks: [{grid: {noise.kind: symmetric, noise.rate: [0.1, 0.2]}}, "
        "{grid: {noise.kind: asymmetric, noise.rate: [0.2]}}]"
    )
    assert [(c.axes["noise.kind"], c.axes["noise.rate"]) for c in united] == [
        ("symmetric", "0.1"),
        ("symmetric", "0.2"),
        ("asymmetric", "0.2"),
    ]


def test_a_skip_needs_all_its_fields_and_keeps_the_reason(cells) -> None:
    found = cells(GRID + 'skip: [{when: {loss: CE, noise.rate: [0.4]}, because: "not printed"}]')
    skipped = [c for c in found if c.skipped]
    assert {(c.axes["loss"], c.axes["noise.rate"]) for c in skipped} == {("CE", "0.4")}
    assert {c.skipped for c in skipped} == {"not printed"}
    assert all(c.cell is None for c in skipped)


PHASES = """phases:
  search:
    grid: {loss: [CE, genCE], learning_rate: [0.1, 0.2]}
    pick: {rate: {field: learning_rate, by: [loss]}}
  main:
    cell: {learning_rate: {pick: search.rate}}
    grid: {loss: [CE, genCE]}
"""


def test_cells_wait_for_a_pick_and_take_its_value(cells) -> None:
    waiting = [c for c in cells(PHASES) if c.phase == "main"]
    assert [c.pending for c in waiting] == ["search.rate", "search.rate"]

    pick = Pick(
        {"loss": "CE"},
        "learning_rate",
        0.2,
        0.9,
        0.1,
        0.8,
        1,
        False,
        True,
        None,
        "",
        "test_accuracy",
    )
    found = [c for c in cells(PHASES, picks={("search", "rate"): (pick,)}) if c.phase == "main"]
    assert found[0].cell.config.learning_rate == 0.2
    assert found[1].pending == "search.rate"
    search = next(c for c in cells(PHASES) if c.axes.get("learning_rate") == "0.2")
    assert found[0].cell.key == search.cell.key


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("grid: {loss: [CE, MEA]}", "grid.loss[1]: no loss 'MEA' under 'losses'"),
        (
            "grid: {loss: CE, noise.kind: symmetric, noise.rate: [2]}",
            "grid.noise.rate: 'rate' must",
        ),
        ("grid: {loss: CE, loss.q: [0.5]}", "grid.loss.q: ce has no parameter 'q'"),
        ("grid: {loss: CE}\ncell2: 1", "cell2: unknown key (did you mean cell?)"),
        ("zip: [{a: [1], b: [1, 2]}]", "zip[0]: lists that advance together"),
        ("skip: [{when: {loss: CE}}]", "skip[0].because: this key is missing"),
        ("seeds: [1, 1]", "seeds: a seed stands here twice"),
        ("seeds: 0", "seeds: must not be empty"),
        ("resources: {cpus: 1}", "resources.cpus: unknown key"),
        ("tables: {t: {bold: bolder}}", "must be one of paired, max, none"),
        ("phases: {a: {cell: {epochs: {pick: b.c}}}}", "no earlier phase has a pick 'b.c'"),
    ],
)
def test_mistakes_are_named_with_their_key(cells, body: str, words: str) -> None:
    with pytest.raises(StudyError) as caught:
        cells(body)
    assert words in str(caught.value)
