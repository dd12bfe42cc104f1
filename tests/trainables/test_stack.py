"""A stack is nothing but its members: equal to lone runs, apart in trouble, resumable so and so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from loss_accuracy import SPECS
from torch import Tensor, nn

from tests.trainables.curves import curve
from trainables.architectures import ARCHITECTURES
from trainables.architectures.mlp import MLP
from trainables.components import build_config
from trainables.config import Choice, EpochRecord, TrainingConfig, TrainingResult
from trainables.losses import LOSSES as REGISTRY
from trainables.registry import Component, ParameterError
from trainables.training.stackable import StackError, stack_group
from trainables.training.stacked import StackedLinear
from trainables.training.train import TrainingInterrupted, train, train_stack

TINY = {
    "dataset": {"name": "synthetic", "like": "fashion-mnist", "images": 200},
    "architecture": {"name": "mlp", "hidden": [16, 8]},
    "optimizer": {"name": "sgd", "momentum": 0.9, "weight_decay": 1e-3},
    "loss": "ce",
    "learning_rate": 0.02,
    "epochs": 3,
    "batch_size": 32,
    "noise": {"kind": "symmetric", "rate": 0.4},
}
ACCURACY_TOLERANCE = 0.02
"""Of 200 images: a weight that differs in its last digit may turn a few of them."""
LOSS_TOLERANCE = 1e-3
"""Relative, of an epoch's mean loss."""

LOSSES = [(Choice.of(name, parameters)) for name, parameters in SPECS]


def config(**changes: object) -> TrainingConfig:
    return build_config({**TINY, **changes})


def assert_close(stacked: TrainingResult, lone: TrainingResult) -> None:
    assert stacked.noisy_label_sha256 == lone.noisy_label_sha256
    assert stacked.initial_weights_sha256 == lone.initial_weights_sha256
    assert stacked.num_parameters == lone.num_parameters
    assert stacked.diverged_epoch == lone.diverged_epoch
    for ours, theirs in zip(stacked.epochs, lone.epochs, strict=True):
        assert ours.learning_rate == theirs.learning_rate
        assert ours.test_accuracy == pytest.approx(theirs.test_accuracy, abs=ACCURACY_TOLERANCE)
        assert ours.train_accuracy_noisy == pytest.approx(
            theirs.train_accuracy_noisy, abs=ACCURACY_TOLERANCE
        )
        for name in ("train_loss", "test_loss"):
            assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=LOSS_TOLERANCE)


def test_every_loss_in_one_stack_is_as_alone() -> None:
    configs = [replace(config(), loss=loss) for loss in LOSSES]
    stacked = train_stack(configs, device="cpu")
    for result, given in zip(stacked, configs, strict=True):
        assert_close(result, train(given, device="cpu"))


def test_members_may_differ_in_all_that_enters_alone() -> None:
    configs = [
        config(seed=3, learning_rate=0.05),
        config(noise="none", schedule={"name": "exponential", "factor": 0.5}),
        config(loss={"name": "mae", "logit_bias": [2.0, 0.5], "logit_bias_epochs": 1}),
        config(noise={"kind": "symmetric", "rate": 0.8}, noise_seed=4),
        config(loss={"name": "tgce", "start_prune": 2, "prune_every": 1, "q": 0.3}),
    ]
    augmented = [replace(c, augmentation=(Choice("flip"),)) for c in configs]
    for group in (configs, augmented):
        stacked = train_stack(group, device="cpu")
        for result, given in zip(stacked, group, strict=True):
            assert_close(result, train(given, device="cpu"))


@pytest.mark.parametrize(
    "optimizer",
    [{"momentum": 0.0}, {"momentum": 0.9, "nesterov": True}, {"weight_decay": 0.1}],
    ids=str,
)
def test_every_form_of_the_update(optimizer: dict[str, object]) -> None:
    configs = [config(optimizer={"name": "sgd", **optimizer}, seed=seed) for seed in (0, 1)]
    for result, given in zip(train_stack(configs, device="cpu"), configs, strict=True):
        assert_close(result, train(given, device="cpu"))


def test_a_diverging_member_changes_no_bit_of_the_others() -> None:
    healthy = [config(seed=seed) for seed in (0, 1, 2)]
    ill = [healthy[0], replace(healthy[1], learning_rate=1e30), healthy[2]]
    undisturbed = train_stack(healthy, device="cpu")
    disturbed = train_stack(ill, device="cpu")
    assert disturbed[1].diverged_epoch is not None
    assert disturbed[1].epochs[-1].test_accuracy == pytest.approx(0.1)
    for member in (0, 2):
        assert curve(disturbed[member]) == curve(undisturbed[member])


def test_a_stack_that_has_diverged_is_over() -> None:
    results = train_stack([config(learning_rate=1e30, seed=s) for s in (0, 1)], device="cpu")
    assert all(result.diverged_epoch and len(result.epochs) == 3 for result in results)


def interrupted(configs: list[TrainingConfig], paths: list[Path], after: int) -> None:
    """Run up to the end of epoch `after`, with checkpoints."""
    seen: list[EpochRecord] = []
    with pytest.raises(TrainingInterrupted) as stop:
        train_stack(
            configs,
            device="cpu",
            checkpoint_paths=paths,
            on_epoch=lambda _, record: seen.append(record),
            should_stop=lambda: min((r.epoch for r in seen[-len(configs) :]), default=0) == after,
        )
    assert stop.value.epoch == after


LOSSES_OF_A_STACK = ["ce", "gce", {"name": "tgce", "start_prune": 2, "prune_every": 1}]


def test_an_interrupted_stack_goes_on_to_the_bit(tmp_path: Path) -> None:
    configs = [config(loss=loss) for loss in LOSSES_OF_A_STACK]
    paths = [tmp_path / f"{n}.pt" for n in range(3)]
    interrupted(configs, paths, after=2)
    resumed = train_stack(configs, device="cpu", checkpoint_paths=paths)
    assert [result.resumed_from_epoch for result in resumed] == [2, 2, 2]
    for ours, whole in zip(resumed, train_stack(configs, device="cpu"), strict=True):
        assert curve(ours) == curve(whole)


def test_members_go_on_alone_and_lone_runs_in_a_stack(tmp_path: Path) -> None:
    configs = [config(loss=loss) for loss in LOSSES_OF_A_STACK]
    paths = [tmp_path / f"{n}.pt" for n in range(3)]
    interrupted(configs, paths, after=1)
    interrupted(configs[:1], paths[:1], after=2)  # now at different epochs
    mixed = train_stack(configs[:2], device="cpu", checkpoint_paths=paths[:2])
    assert [result.resumed_from_epoch for result in mixed] == [2, 1]
    alone = train(configs[2], device="cpu", checkpoint_path=paths[2])
    for result, given in zip([*mixed, alone], configs, strict=True):
        assert_close(result, train(given, device="cpu"))


def test_a_run_stopped_within_an_epoch_goes_on_in_a_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainables.training.train.LOOK_SECONDS", 0.0)
    configs = [config(seed=seed) for seed in range(3)]
    paths = [tmp_path / f"{seed}.pt" for seed in range(3)]
    looks = iter([False] * 9 + [True])  # of seven steps an epoch
    with pytest.raises(TrainingInterrupted):
        train(
            configs[1],
            device="cpu",
            checkpoint_path=paths[1],
            should_stop=lambda: next(looks),
        )
    results = train_stack(configs, device="cpu", checkpoint_paths=paths)
    for result, given in zip(results, configs, strict=True):
        assert_close(result, train(given, device="cpu"))
    assert [result.resumed_from_epoch for result in results] == [None, 2, None]


def test_time_is_shared_out() -> None:
    lone = train(config(), device="cpu")
    four = train_stack([config(seed=seed) for seed in range(4)], device="cpu")
    assert len({result.seconds for result in four}) == 1
    assert four[0].seconds < 4 * lone.seconds


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"architecture": "resnet20"}, "resnet20 cannot be stacked"),
        ({"batch_size": 16}, "may differ in loss, noise, learning rate and seeds only"),
    ],
)
def test_what_cannot_be_stacked_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        train_stack([config(), config(**changes)], device="cpu")


def test_groups_are_those_that_train_together() -> None:
    assert stack_group(config()) == stack_group(config(loss="mae", learning_rate=1, seed=9))
    assert stack_group(config()) != stack_group(config(epochs=9))
    assert stack_group(config(architecture="mlp1024")) is not None
    assert stack_group(config(architecture="resnet20")) is None


class Chain(nn.Sequential):
    """Looks like a plain one and is none."""

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = super().forward(images)
        return logits * 2


def plain(shape, num_classes, generator, hidden=(16, 8)) -> nn.Module:
    return MLP(hidden)(shape, num_classes, generator)


def doubled(*arguments) -> nn.Module:
    return Chain(*plain(*arguments).children())


def widened(*arguments) -> nn.Module:
    network = plain(*arguments)

    class Scaled(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * super().forward(x)

    network[1].__class__ = Scaled
    return network


def frozen(*arguments) -> nn.Module:
    network = plain(*arguments)
    network[1].weight.requires_grad_(False)
    return network


def tied(*arguments) -> nn.Module:
    network = plain(*arguments, (16, 16, 16))
    network[5].weight = network[3].weight
    return network


def repeated(*arguments) -> nn.Module:
    layers = list(plain(*arguments, (16, 16)).children())
    return nn.Sequential(*layers[:4], layers[3], *layers[4:])


def hooked(*arguments) -> nn.Module:
    network = plain(*arguments)
    network.register_forward_hook(lambda _module, _given, logits: logits * 2)
    return network


def without_bias(*arguments) -> nn.Module:
    network = plain(*arguments)
    network[1].bias = None
    return network


class WithHidden:
    """Has a field like that of a multilayer perceptron, and declares nothing."""

    hidden = (16, 8)

    def __call__(self, *arguments) -> nn.Module:
        return doubled(*arguments)


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch):
    """Registers an architecture under the name `foreign` for one test."""

    def register(target: object, *, stackable: bool = True) -> str:
        if stackable:
            monkeypatch.setattr(target, "stackable", True, raising=False)
        component = Component("foreign", target, 1, {}, (__name__,))
        monkeypatch.setitem(ARCHITECTURES._components, "foreign", component)
        return "foreign"

    return register


def test_a_field_called_hidden_makes_no_stack(offer) -> None:
    given = config(architecture=offer(WithHidden, stackable=False))
    assert stack_group(given) is None
    with pytest.raises(StackError, match="foreign cannot be stacked: it does not declare"):
        train_stack([given, replace(given, seed=1)], device="cpu")


def test_a_foreign_chain_that_declares_it_is_stacked_as_alone(offer) -> None:
    given = [config(architecture=offer(plain), seed=seed) for seed in (0, 1)]
    assert stack_group(given[0]) is not None
    for result, one in zip(train_stack(given, device="cpu"), given, strict=True):
        assert_close(result, train(one, device="cpu"))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (doubled, "a Chain is not a plain nn.Sequential"),
        (widened, "is none of Flatten, ReLU and Linear with a bias"),
        (without_bias, "is none of Flatten, ReLU and Linear with a bias"),
        (frozen, "a weight is not trained"),
        (tied, "layers share a weight"),
        (repeated, "a layer stands in it twice"),
        (hooked, "a hook is registered in it"),
    ],
)
def test_a_wrong_declaration_is_refused_before_the_first_step(build, words: str, offer) -> None:
    given = config(architecture=offer(build))
    with pytest.raises(StackError, match=words):
        train_stack([given, replace(given, seed=1)], device="cpu")


def test_logits_of_a_stack_are_compared_with_lone_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(self: StackedLinear, x: Tensor) -> Tensor:
        return torch.bmm(x, self.weight.transpose(1, 2)) * 1.0001

    monkeypatch.setattr(StackedLinear, "forward", forgetful)
    with pytest.raises(StackError, match="mlp cannot be stacked: stacked logits differ"):
        train_stack([config(seed=seed) for seed in (0, 1)], device="cpu")


def test_a_loss_that_draws_from_torchs_generator_makes_no_stack(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def drawing(logits: Tensor, labels: Tensor) -> Tensor:
        losses = nn.functional.cross_entropy(logits, labels, reduction="none")
        return losses * torch.rand(())

    component = Component("drawing", drawing, 1, REGISTRY.component("ce").parameters, (__name__,))
    monkeypatch.setitem(REGISTRY._components, "drawing", component)
    with pytest.raises(StackError, match="ce, drawing cannot be stacked: torch's random state"):
        train_stack([config(), config(loss="drawing")], device="cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_stack_on_a_gpu() -> None:
    configs = [config(seed=seed) for seed in (0, 1, 2)]
    for result, given in zip(train_stack(configs, device="cuda"), configs, strict=True):
        assert_close(result, train(given, device="cuda"))
