"""Studies that ask for too much are refused before a cell is made; cells share what they can."""

from __future__ import annotations

import dataclasses
import json
import time

import pytest

from orchestrator.plan.expectations import Expectations
from orchestrator.plan.forecast import forecast
from orchestrator.study.cell import make_cell
from orchestrator.study.text import StudyError
from storage.standing.judgement import Known
from trainables import components
from trainables.registry import ParameterError

LONG = list(range(1, 3001))
PHASES = """
phases:
  one: {grid: {loss: CE, batch_size: %s}, seeds: 30}
  two: {grid: {loss: CE, batch_size: %s}, seeds: 40}
"""


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("seeds: 1000000000", "seeds: 1,000,000,000 seeds are too many: a study may have 200,000"),
        (f"seeds: {'9' * 400}", "seeds: more than 10^18 seeds are too many"),
        (f"grid: {{batch_size: {LONG}, epochs: {LONG}}}", "grid: 9,000,000 cells are too many"),
        (f"zip: [{{batch_size: {LONG}}}, {{epochs: {LONG}}}]", "9,000,000 cells are too many"),
        (f"blocks: [grid: {{batch_size: {LONG}, epochs: {LONG}}}]", "blocks: 9,000,000 cells"),
        (f"seeds: {list(range(3000))}\ngrid: {{epochs: {LONG[:100]}}}", "seeds: 300,000 cells"),
        (PHASES % (LONG, LONG), "phases.two: 210,000 cells are too many"),
        (f"grid: {{{', '.join(f'x{n}: [1, 2]' for n in range(4000))}}}", "more than 10^18 cells"),
        ("seeds: [99999999999999999999]", "seeds[0]: "),
    ],
)
def test_a_study_that_asks_for_too_much_is_refused_at_once(cells, body, words) -> None:
    started = time.process_time()
    with pytest.raises(StudyError) as caught:
        cells(body)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 400
    assert time.process_time() - started < 3


def test_a_number_that_no_column_holds_is_one_line(cells) -> None:
    with pytest.raises(StudyError, match="a number of 400 digits is too large"):
        cells("grid: {loss: CE}", f"cell.epochs={'9' * 400}")


def test_as_many_cells_as_a_study_may_have_are_counted_with_their_seeds(cells) -> None:
    assert len(cells("seeds: 20\ngrid: {loss: all, batch_size: [8, 16]}")) == 120


def test_cells_of_a_point_are_those_made_one_by_one(cells) -> None:
    body = "seeds: [0, 3, 70]\ngrid: {loss: all, noise.kind: symmetric, noise.rate: [0, 0.4]}"
    for entry in cells(body):
        alone = make_cell(components.build_config({**entry.fields, "seed": entry.seed}), components)
        assert alone == entry.cell


def test_equal_values_of_other_types_are_checked_each() -> None:
    fields = {
        "dataset": "mnist",
        "architecture": {"name": "mlp", "hidden": [1]},
        "learning_rate": 0.1,
        "epochs": 1,
    }
    build = components.builder()
    build({**fields, "loss": {"name": "gce", "q": 1}})
    with pytest.raises(ParameterError, match="must be a number, not True"):
        build({**fields, "loss": {"name": "gce", "q": True}})


def test_a_planned_configuration_is_the_text_of_its_fields(cells, tmp_path) -> None:
    found = cells("seeds: 3\ngrid: {loss: all, augmentation: [[], [flip]]}")
    planned = Expectations(tmp_path, frozenset()).planned("demo", found, Known())
    for entry, asked in zip(found, planned, strict=True):
        assert asked.config == json.dumps(entry.cell.config.to_dict(), sort_keys=True)


def test_skips_may_name_seeds_and_fields_together(cells) -> None:
    rules = "{when: {seed: [1], loss: CE}, because: at one}, {when: {loss: CE}, because: at all}"
    found = cells(f"seeds: 2\ngrid: {{loss: [CE, genCE]}}\nskip: [{rules}]")
    assert [entry.skipped for entry in found] == ["at all", "at one", None, None]


def test_a_forecast_tells_kinds_apart_by_the_text_of_their_components(cells) -> None:
    found = [entry.cell for entry in cells("seeds: 2\ngrid: {loss: CE, batch_size: [8, 16]}")]
    copies = [dataclasses.replace(cell) for cell in found]
    assert [len(kind) for kind in forecast([*found, *copies], ()).unknown] == [4, 4]
