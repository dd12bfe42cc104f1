"""Which cells train together, and in which order."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.plan.stacks import form_stacks, order_trials
from orchestrator.study.cell import Cell, make_cell
from orchestrator.study.resources import GPU_STACK, Resources
from trainables import components
from trainables.components import build_config


def cell(**changes: object) -> Cell:
    fields = {
        "dataset": {"name": "synthetic", "like": "mnist", "images": 40},
        "architecture": {"name": "mlp", "hidden": [4]},
        "loss": "ce",
        "learning_rate": 0.1,
        "batch_size": 16,
        "epochs": 2,
        **changes,
    }
    return make_cell(build_config(fields), components)


CELLS = [
    cell(seed=seed, architecture=architecture, epochs=epochs)
    for seed in range(3)
    for architecture in ({"name": "mlp", "hidden": [4]}, "mlp1024", "resnet20")
    for epochs in (2, 3)
]


def keys(stacks: Sequence[Sequence[Cell]]) -> list[str]:
    return [cell.key for stack in stacks for cell in stack]


@given(
    cells=st.lists(st.sampled_from(CELLS), unique_by=lambda c: c.key),
    size=st.integers(1, 5),
    slots=st.integers(1, 4),
)
def test_each_cell_is_in_one_stack(cells: list[Cell], size: int, slots: int) -> None:
    ordered = order_trials(cells)
    stacks = form_stacks(ordered, size, slots)
    assert sorted(keys(stacks)) == sorted(cell.key for cell in cells)
    position = {cell.key: place for place, cell in enumerate(ordered)}
    heads = [position[stack[0].key] for stack in stacks]
    assert heads == sorted(heads)
    for stack in stacks:
        assert 1 <= len(stack) <= size
        assert len({(c.config.architecture, c.config.epochs) for c in stack}) == 1
        if len(stack) > 1:
            assert stack[0].config.architecture.name != "resnet20"


def test_a_group_is_shared_out_evenly() -> None:
    cells = [cell(seed=seed) for seed in range(10)]
    assert [len(stack) for stack in form_stacks(cells, 45, 1)] == [10]
    assert [len(stack) for stack in form_stacks(cells, 45, 2)] == [5, 5]
    assert sorted(len(stack) for stack in form_stacks(cells, 4, 1)) == [3, 3, 4]


def test_sizes() -> None:
    assert Resources().stack_size("cpu") == 1
    assert Resources().stack_size("cuda") == GPU_STACK
    assert Resources(stack="off").stack_size("cuda") == 1
    assert Resources(stack=7).stack_size("cpu") == 7
    with pytest.raises(ValidationError):
        Resources(stack="on")  # type: ignore[arg-type]
