"""Schedules beside torch's, and how a cell settles their length."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.optim import SGD
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, OneCycleLR

from trainables.components import build_config
from trainables.config import Choice
from trainables.registry import ParameterError
from trainables.schedules import SCHEDULES, factor, is_gradual
from trainables.schedules.descents import OneCycle

STEPS = 5
"""Updates of an epoch."""


def rates(count: int, name: str, /, **parameters: object) -> list[float]:
    """Factor of each update of so many epochs."""
    schedule = SCHEDULES.build(Choice.of(name, **parameters))
    return [
        factor(schedule, epoch, step, STEPS)
        for epoch in range(1, count + 1)
        for step in range(STEPS)
    ]


def of_torch(count: int, make, rate: float = 1.0) -> list[float]:
    optimizer = SGD([nn.Parameter(torch.zeros(1))], rate)
    schedule: LRScheduler = make(optimizer)
    found = []
    for _ in range(count):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_cosine_is_that_of_torch_in_steps_of_an_epoch() -> None:
    ours = rates(12, "cosine", epochs=12, floor=0.1)
    assert ours[::STEPS] == pytest.approx(
        of_torch(12, lambda o: CosineAnnealingLR(o, 12, eta_min=0.1)), rel=1e-9
    )
    assert ours[:STEPS] == [1.0] * STEPS and not is_gradual(
        SCHEDULES.build(Choice.of("cosine", epochs=12))
    )


def test_the_last_epoch_of_120_runs_at_a_six_thousandth() -> None:
    assert rates(120, "cosine", epochs=120)[-1] == pytest.approx(1.7e-4, rel=0.02)


def test_linear_is_that_of_torch() -> None:
    theirs = of_torch(8, lambda o: LinearLR(o, 1.0, 0.2, total_iters=8))
    assert rates(8, "linear", epochs=8, floor=0.2)[::STEPS] == pytest.approx(theirs, rel=1e-9)


def test_one_cycle_is_that_of_torch_where_updates_are_many() -> None:
    """torch turns and ends one update earlier, of as many as there are."""
    updates = 20_000
    theirs = of_torch(
        updates, lambda o: OneCycleLR(o, 1.0, total_steps=updates, cycle_momentum=False)
    )
    schedule = OneCycle(epochs=4)
    ours = [schedule.at(4 * update / updates) for update in range(updates)]
    assert ours == pytest.approx(theirs, abs=3e-4)
    assert (schedule.at(0), schedule.at(1.2), schedule.at(4)) == pytest.approx((0.04, 1, 4e-6))


@pytest.mark.parametrize("name", ["step", "cosine", "linear"])
def test_a_warm_up_grows_from_zero_and_ends(name: str) -> None:
    needed = {"milestones": [3]} if name == "step" else {"epochs": 6}
    warm = rates(6, name, **needed, warm_up=1.4)
    assert warm[:7] == pytest.approx([step / 7 for step in range(7)])
    assert warm[7] <= 1.0 and warm[7] > 0.5
    assert rates(6, name, **needed, warm_up=0)[0] == 1.0


def test_the_milestones_of_a_known_repository() -> None:
    """It drops the rate in epochs 60, 120 and 160, after one epoch of warm-up in updates."""
    ours = rates(200, "step", milestones=[59, 119, 159], factor=0.2, warm_up=1)
    wanted = [
        step / STEPS if epoch == 1 else 0.2 ** sum(epoch >= drop for drop in (60, 120, 160))
        for epoch in range(1, 201)
        for step in range(STEPS)
    ]
    assert ours == pytest.approx(wanted)


def config(**changes: object):
    given = {
        "dataset": {"name": "synthetic", "like": "fashion-mnist", "images": 64},
        "architecture": {"name": "mlp", "hidden": [4]},
        "loss": "ce",
        "learning_rate": 0.05,
        "epochs": 7,
        "batch_size": 32,
    }
    return build_config({**given, **changes})


@pytest.mark.parametrize("name", ["cosine", "linear", "one_cycle"])
def test_a_schedule_spans_the_epochs_of_the_cell_and_the_cell_says_so(name: str) -> None:
    assert config(schedule=name).schedule.get("epochs") == 7
    assert config(schedule=name) == config(schedule={"name": name, "epochs": 7})
    assert config(schedule={"name": name, "epochs": 9}).schedule.get("epochs") == 9


def test_without_a_length_there_is_no_rate() -> None:
    with pytest.raises(ParameterError, match="needs its 'epochs'"):
        rates(1, "cosine")


@pytest.mark.parametrize("epochs", [1, 2, 5])
def test_rates_stay_between_floor_and_one(epochs: int) -> None:
    for name in ("cosine", "linear"):
        for warm_up in (0.0, 1.0, 2.5):
            found = rates(epochs + 3, name, epochs=epochs, floor=0.1, warm_up=warm_up)
            assert all(math.isfinite(rate) and 0 <= rate <= 1 for rate in found)
            assert found[-1] >= 0.1
