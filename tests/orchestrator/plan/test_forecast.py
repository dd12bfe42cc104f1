"""How long the missing cells will take."""

from __future__ import annotations

import pytest

from orchestrator.plan.forecast import forecast, forecast_lines
from storage.store import Pace

GRID = "grid: {loss: all, noise.kind: symmetric, noise.rate: [0.2]}\nseeds: 2\n"


def pace(device: str = "cpu", middle: float = 2.0, **changes: object) -> Pace:
    values = {
        "dataset": '{"name":"fashion-mnist-small","train_size":null,"test_size":null}',
        "architecture": '{"name": "mlp", "hidden": [8]}',
        "batch_size": 128,
        "precision": "fp32",
        "device": device,
        "num_cells": 10,
        "low": middle / 2,
        "middle": middle,
        "high": middle * 2,
    }
    return Pace(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def due(cells):
    return [entry.cell for entry in cells(GRID)]


def test_time_is_that_of_cells_of_the_same_kind(due) -> None:
    found = forecast(due, [pace()])
    assert (found.low, found.middle, found.high) == (12, 24, 48)
    assert found.num_before == 10
    assert not found.unknown


@pytest.mark.parametrize(
    "other", [{"batch_size": 64}, {"precision": "bf16"}, {"architecture": '{"name": "mlp1024"}'}]
)
def test_another_kind_is_no_guide(due, other) -> None:
    found = forecast(due, [pace(**other)])
    assert found.middle == 0
    assert [len(cells) for cells in found.unknown] == [6]
    assert any("never ran here" in line for line in forecast_lines(found))


def test_the_device_with_most_history_judges_unless_one_is_named(due) -> None:
    paces = [pace(), pace("H200", 0.1, num_cells=99)]
    assert forecast(due, paces).device == "H200"
    assert forecast(due, paces, device="cpu").middle == 24


def test_an_empty_store_knows_nothing(due) -> None:
    lines = list(forecast_lines(forecast(due, [])))
    assert lines == [
        "6 cells of a kind that never ran here, time unknown: "
        "mlp on fashion-mnist-small, batches of 128",
        "about 1 MB of results",
    ]


def test_lines_state_range_wall_time_and_disk(due) -> None:
    lines = list(forecast_lines(forecast(due, [pace()]), slots=4))
    assert lines == [
        "about 24 s of training (12 s to 48 s), judged by 10 earlier results on cpu",
        "about 6 s with 4 trials at a time",
        "about 1 MB of results",
    ]


def test_nothing_due_says_nothing() -> None:
    assert not list(forecast_lines(forecast([], [pace()])))


def test_a_probe_judges_what_never_ran(due, tmp_path) -> None:
    from orchestrator.plan.pace_probe import probe

    (cells,) = forecast(due, []).unknown
    said: list[str] = []
    (found,) = probe(cells[:1], tmp_path, 1, said.append)
    assert said == ["probing mlp on fashion-mnist-small, batches of 128"]
    assert found.low == found.middle == found.high > 0
    expected = forecast(due, [found])
    assert expected.unknown == ()
    assert (expected.num_before, expected.num_probed) == (0, 1)
    assert expected.middle == pytest.approx(found.middle * 6 * due[0].config.epochs)
    assert any("judged by 1 probes on" in line for line in forecast_lines(expected))
