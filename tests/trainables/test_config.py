"""Plain values of a configuration become hashable ones, or one line says which cannot."""

from __future__ import annotations

from typing import Any

import pytest

from trainables.components import build_config
from trainables.config import Choice
from trainables.errors import ParameterError

UNNAMED: tuple[Any, ...] = ({"a": 1}, [{"a": 1}], [[{"a": 1}]], ({"a": 1},))


@pytest.mark.parametrize("value", UNNAMED)
def test_a_mapping_without_name_among_parameters_is_one_line(value: Any) -> None:
    with pytest.raises(ParameterError, match=r"'hidden' must be a value, not a mapping") as caught:
        Choice.of("mlp", hidden=value)
    assert caught.value.key == "hidden"


def test_a_mapping_within_a_named_one_is_told_by_its_place() -> None:
    with pytest.raises(ParameterError, match="'b' must be a value") as caught:
        Choice.of("mlp", hidden={"name": "a", "b": [{"c": 1}]})
    assert caught.value.key == "hidden.b"


@pytest.mark.parametrize("value", UNNAMED)
@pytest.mark.parametrize(("field", "name"), [("noise", "kind"), ("architecture", "name")])
def test_a_cell_with_one_names_the_field(field: str, name: str, value: Any) -> None:
    fields = {"dataset": "mnist", "architecture": "mlp", "loss": "ce", "learning_rate": 0.1}
    with pytest.raises(ParameterError, match="'rate' must be a value") as caught:
        build_config({**fields, "epochs": 1, field: {name: "symmetric", "rate": value}})
    assert caught.value.key == f"{field}.rate"
