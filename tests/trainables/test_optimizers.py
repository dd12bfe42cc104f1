"""Update rules, penalties and clipping beside torch; alone, in a stack, resumed and recorded."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import trainables.training.loop
from tests.trainables.curves import curve
from tests.trainables.test_capture import Tapes
from trainables.components import build_config
from trainables.config import Choice, TrainingConfig
from trainables.optimizers import OPTIMIZERS
from trainables.registry import ParameterError
from trainables.training.gradients import Shaping
from trainables.training.optimizer_step import LoneUpdates, StackedUpdates
from trainables.training.stackable import stack_group
from trainables.training.train import TrainingInterrupted, train, train_stack

RULES = {
    "l1": {"optimizer": {"name": "sgd", "l1": 1e-3}},
    "clipped": {"clip_norm": 0.5},
    "all": {
        "optimizer": {"name": "sgd", "l1": 1e-3, "weight_decay": 1e-2, "exempt_vectors": True},
        "clip_norm": 0.5,
        "schedule": {"name": "cosine", "warm_up": 0.5},
    },
    "adam": {"optimizer": "adam", "learning_rate": 1e-3},
    "adamw": {
        "optimizer": {"name": "adamw", "weight_decay": 0.1, "exempt_vectors": True},
        "learning_rate": 1e-3,
        "clip_norm": 1.0,
    },
    "one_cycle": {"schedule": "one_cycle"},
}
"""Fields of a cell that trains by more than plain SGD."""


def config(**changes: object) -> TrainingConfig:
    given = {
        "dataset": {"name": "synthetic", "like": "fashion-mnist", "images": 100},
        "architecture": {"name": "mlp", "hidden": [16, 8]},
        "loss": "ce",
        "learning_rate": 0.05,
        "epochs": 3,
        "batch_size": 32,
    }
    return build_config({**given, **changes})


def network(seed: int = 0) -> nn.Sequential:
    draws = torch.Generator().manual_seed(seed)
    layers = nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3)).double()
    for weight in layers.parameters():
        nn.init.normal_(weight, generator=draws)
    return layers


def loss_of(layers: nn.Module, seed: int = 1) -> Tensor:
    inputs = torch.randn(8, 5, generator=torch.Generator().manual_seed(seed)).double()
    return nn.functional.cross_entropy(layers(inputs), torch.arange(8) % 3)


def test_l1_is_the_penalty_in_the_loss_and_counts_in_the_clipped_norm() -> None:
    ours, theirs = network(), network()
    loss_of(ours).backward()
    Shaping(l1=0.01, clip_norm=0.3)([*ours.parameters()], stacked=False)
    penalty = sum(weight.abs().sum() for weight in theirs.parameters())
    (loss_of(theirs) + 0.01 * penalty).backward()
    nn.utils.clip_grad_norm_(theirs.parameters(), 0.3)
    for mine, its in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, its.grad, rtol=1e-12, atol=1e-15)


def test_gradients_below_the_norm_stay_as_they_are() -> None:
    layers = network()
    loss_of(layers).backward()
    before = [weight.grad.clone() for weight in layers.parameters()]
    Shaping(clip_norm=1e3)([*layers.parameters()], stacked=False)
    assert all(map(torch.equal, before, [weight.grad for weight in layers.parameters()]))


def test_each_member_of_a_stack_has_a_norm_of_its_own() -> None:
    lone = [network(seed) for seed in range(2)]
    for scale, layers in zip((1.0, 30.0), lone, strict=True):
        (scale * loss_of(layers)).backward()
    stacked = [
        nn.Parameter(torch.stack([weight.detach() for weight in weights]))
        for weights in zip(*(layers.parameters() for layers in lone), strict=True)
    ]
    grads = zip(*(layers.parameters() for layers in lone), strict=True)
    for weight, of_members in zip(stacked, grads, strict=True):
        weight.grad = torch.stack([w.grad for w in of_members])
    shaping = Shaping(l1=0.01, clip_norm=1.0)
    shaping(stacked, stacked=True)
    for member, layers in enumerate(lone):
        shaping([*layers.parameters()], stacked=False)
        for weight, own in zip(stacked, layers.parameters(), strict=True):
            torch.testing.assert_close(weight.grad[member], own.grad, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("choice", "theirs"),
    [
        (
            Choice.of("adam", weight_decay=0.1),
            lambda p: torch.optim.Adam(p, 0.01, weight_decay=0.1),
        ),
        (
            Choice.of("adamw", beta1=0.8, epsilon=1e-3),
            lambda p: torch.optim.AdamW(p, 0.01, (0.8, 0.999), 1e-3, 0.01),
        ),
    ],
)
def test_adam_is_that_of_torch(choice: Choice, theirs) -> None:
    ours, other = network(), network()
    parameters = [*ours.parameters()]
    updates = LoneUpdates(OPTIMIZERS.build(choice)(parameters, 0.01), parameters, Shaping(), None)
    optimizer = theirs(other.parameters())
    for _ in range(4):
        updates.zero_grad(), optimizer.zero_grad()
        loss_of(ours).backward(), loss_of(other).backward()
        updates.step(), optimizer.step()
    for mine, its in zip(ours.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, its)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_exempt_vectors_do_not_decay(name: str) -> None:
    rule = OPTIMIZERS.build(Choice.of(name, weight_decay=0.5, exempt_vectors=True))
    layers = network()
    parameters = [*layers.parameters()]
    before = [weight.detach().clone() for weight in parameters]
    updates = LoneUpdates(rule(parameters, 0.1), parameters, Shaping(), None)
    for weight in parameters:
        weight.grad = torch.zeros_like(weight)
    updates.step()
    moved = [not torch.equal(*pair) for pair in zip(before, parameters, strict=True)]
    assert moved == [True, False, True, False]


def test_exempt_vectors_of_a_stack_do_not_decay() -> None:
    rule = OPTIMIZERS.build(Choice.of("sgd", weight_decay=0.5, exempt_vectors=True))
    parameters = [nn.Parameter(torch.ones(2, 3, 4)), nn.Parameter(torch.ones(2, 3))]
    updates = StackedUpdates(parameters, rule, Shaping(), [None, None])
    updates.set_learning_rates([0.1, 0.1])
    for weight in parameters:
        weight.grad = torch.zeros_like(weight)
    updates.step()
    assert [bool((weight == 1).all()) for weight in parameters] == [False, True]


@pytest.mark.parametrize("rule", RULES)
def test_resuming_within_an_epoch_changes_no_bit(
    rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainables.training.train.LOOK_SECONDS", 0.0)
    given, path, looks = config(**RULES[rule]), tmp_path / "run.pt", iter(range(1, 100))
    with pytest.raises(TrainingInterrupted):
        train(given, device="cpu", checkpoint_path=path, should_stop=lambda: next(looks) == 6)
    resumed = train(given, device="cpu", checkpoint_path=path)
    assert curve(resumed) == curve(train(given, device="cpu"))


@pytest.mark.parametrize("rule", RULES)
def test_a_recorded_step_changes_no_bit(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given, tapes = config(**RULES[rule]), Tapes()
    plain = curve(train(given, device="cpu"))
    monkeypatch.setattr(trainables.training.loop, "recorder_for", lambda _device: tapes)
    assert curve(train(given, device="cpu")) == plain
    assert tapes.played


@pytest.mark.parametrize("rule", ["l1", "clipped", "all", "one_cycle"])
def test_a_stack_trains_as_its_members_alone(rule: str) -> None:
    configs = [config(**RULES[rule], seed=seed) for seed in range(2)]
    for stacked, given in zip(train_stack(configs, device="cpu"), configs, strict=True):
        for ours, theirs in zip(stacked.epochs, train(given, device="cpu").epochs, strict=True):
            assert ours.train_loss == pytest.approx(theirs.train_loss, rel=1e-4)


def test_what_is_clipped_differently_shares_no_stack() -> None:
    assert stack_group(config()) != stack_group(config(clip_norm=1.0))
    assert stack_group(config(optimizer="adam")) is None


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), "large"])
def test_a_norm_that_is_none_is_refused(value: object) -> None:
    with pytest.raises(ParameterError) as caught:
        config(clip_norm=value)
    assert caught.value.key == "clip_norm"
