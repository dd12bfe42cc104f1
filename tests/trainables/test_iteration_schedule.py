"""Milestones in updates: the rate of each step, alone, in a stack, recorded, and after a stop."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import trainables.training.loop
from tests.trainables.curves import curve
from tests.trainables.test_capture import Tapes
from trainables.components import build_config
from trainables.config import TrainingConfig
from trainables.schedules import SCHEDULES
from trainables.schedules.drops import IterationStep
from trainables.training.optimizer_step import LoneUpdates
from trainables.training.train import TrainingInterrupted, train, train_stack

STEPS_AN_EPOCH = 7
"""200 images in batches of 32, the last one smaller."""


def config(**changes: object) -> TrainingConfig:
    given = {
        "dataset": {"name": "synthetic", "like": "fashion-mnist", "images": 200},
        "architecture": {"name": "mlp", "hidden": [16, 8]},
        "loss": "ce",
        "learning_rate": 0.05,
        "epochs": 3,
        "batch_size": 32,
        "schedule": {"name": "iteration_step", "milestones": [3, 9], "factor": 0.5},
    }
    return build_config({**given, **changes})


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The learning rate of each step that is taken by a lone network."""
    seen: list[float] = []
    step = LoneUpdates.step

    def noted(self: LoneUpdates) -> None:
        seen.append(float(self._optimizer.param_groups[0]["lr"]))
        step(self)

    monkeypatch.setattr(LoneUpdates, "step", noted)
    return seen


def test_the_factor_drops_with_the_update_that_follows_a_milestone() -> None:
    schedule = IterationStep(milestones=(2, 4), factor=0.5, stop=6)
    assert [schedule.after(n) for n in range(8)] == [1, 1, 0.5, 0.5, 0.25, 0.25, 0, 0]
    assert SCHEDULES.component("iteration_step").target is IterationStep


def test_each_step_has_its_rate(rates: list[float]) -> None:
    result = train(config(), device="cpu")
    wanted = [0.05] * 3 + [0.025] * 6 + [0.0125] * (3 * STEPS_AN_EPOCH - 9)
    assert rates == pytest.approx(wanted)
    assert [record.learning_rate for record in result.epochs] == [0.05, 0.025, 0.0125]


def test_milestones_at_the_ends_of_epochs_are_those_of_step() -> None:
    in_epochs = {"name": "step", "milestones": [1, 2]}
    in_updates = {"name": "iteration_step", "milestones": [7, 14]}
    first, second = (train(config(schedule=s), device="cpu") for s in (in_epochs, in_updates))
    assert curve(first) == curve(second)


@pytest.mark.parametrize("stop_at", [1, 4, 9])
def test_resuming_within_an_epoch_changes_no_bit(
    stop_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainables.training.train.LOOK_SECONDS", 0.0)
    path, looks = tmp_path / "run.pt", iter(range(1, 100))
    with pytest.raises(TrainingInterrupted):
        train(
            config(),
            device="cpu",
            checkpoint_path=path,
            should_stop=lambda: next(looks) == stop_at,
        )
    resumed = train(config(), device="cpu", checkpoint_path=path)
    assert curve(resumed) == curve(train(config(), device="cpu"))


def test_a_recorded_step_reads_the_rate_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = curve(train(config(), device="cpu"))
    tapes = Tapes()
    monkeypatch.setattr(trainables.training.loop, "recorder_for", lambda _device: tapes)
    assert curve(train(config(), device="cpu")) == plain
    assert tapes.played


def test_members_of_a_stack_follow_their_own_schedules() -> None:
    other = {"name": "iteration_step", "milestones": [1], "factor": 0.1}
    configs = [config(), config(schedule=other), config(schedule="constant")]
    for stacked, given in zip(train_stack(configs, device="cpu"), configs, strict=True):
        alone = train(given, device="cpu")
        for ours, theirs in zip(stacked.epochs, alone.epochs, strict=True):
            assert ours.learning_rate == theirs.learning_rate
            assert ours.train_loss == pytest.approx(theirs.train_loss, rel=1e-4)


def test_nothing_moves_after_the_stop() -> None:
    halted = {"name": "iteration_step", "milestones": [], "stop": STEPS_AN_EPOCH}
    first, *others = train(config(schedule=halted), device="cpu").epochs
    assert {record.test_loss for record in others} == {first.test_loss}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_each_step_has_its_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = curve(train(config(), device="cuda"))
    monkeypatch.setattr(trainables.training.loop, "recorder_for", lambda _device: None)
    assert recorded == curve(train(config(), device="cuda"))
