"""One constant changed in each kind of component: its golden run must notice, and undone, agree."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from orchestrator.study import cell
from tests.golden.edits import constant, default, edited, entry
from tests.golden.pins import Subject, compare, read_pins
from tests.golden.subjects import KINDS, measure
from trainables import augment, components, normalization, seeding
from trainables.architectures import initialization, mlp, residual
from trainables.config import Choice
from trainables.datasets import _evenly, dataset_info, synthetic
from trainables.losses import (
    agce,
    bitempered,
    combined,
    gce,
    imae,
    js,
    ldr,
    length,
    logit_bias,
    mae,
    normalized,
    sce,
    squared,
)
from trainables.noise import asymmetric, matrix, stratify, symmetric
from trainables.optimizers import adam, decay, sgd
from trainables.schedules import descents, drops, warm_up
from trainables.theory import calibration
from trainables.training import gradients, loop, member, optimizer_step, pruning_pass, step

Edit = Callable[[], AbstractContextManager[Any]]

EDITS: dict[str, tuple[Subject, Edit]] = {}
"""What is changed → where it must be noticed, and the change."""


def _change(kind: str, name: str, text: str, edit: Edit) -> None:
    EDITS[f"{kind} {name}: {text}"] = Subject(kind, name), edit


def _edit(kind: str, name: str, function: Callable[..., Any], old: str, new: str) -> None:
    place = f"{function.__qualname__}: {old} → {new}"
    _change(kind, name, place, lambda: edited(function, old, new))


def _default(kind: str, name: str, parameter: str, value: Any) -> None:
    text = f"default of {parameter} → {value}"
    _change(kind, name, text, lambda: default(kind, name, parameter, value))


_default("loss", "gce", "q", 0.69)
_default("loss", "agce", "a", 0.61)
_default("loss", "bitempered", "t1", 0.79)
_default("loss", "sce", "log_zero", -9.0)
_default("loss", "tgce", "start_prune", 41)
_edit("loss", "mae", mae.MeanAbsoluteError.term, "value=2 *", "value=1 *")
_edit("loss", "mae", mae.MeanAbsoluteError.term, "-2 * softmax", "-1 * softmax")
_edit("loss", "sce", sce.SymmetricCrossEntropy.term, "self.alpha + reverse", "self.alpha - reverse")
_edit(
    "loss", "agce", agce.AsymmetricGeneralizedCrossEntropy.term, "(self.q - 1)", "(self.q - 1.01)"
)
_edit(
    "loss", "bitempered", bitempered.BiTemperedLogistic._gradient, "self.t2 -", "1.001 * self.t2 -"
)
_edit("loss", "bitempered", bitempered.chebyshev_steps, "3 if", "1 if")
_edit(
    "loss",
    "nfl",
    normalized.NormalizedFocalLoss.term,
    "mul_(-self.gamma)",
    "mul_(-0.999 * self.gamma)",
)
_edit("loss", "nfl_mae", mae.MeanAbsoluteError.term, "value=2 *", "value=1 *")
_edit("loss", "imae", imae.ImprovedMeanAbsoluteError.term, "weight / 2", "weight / 2.001")
_edit(
    "loss",
    "nce_agce",
    combined.NormalizedCrossEntropyWithAsymmetricGeneralizedCrossEntropy.term,
    "self.beta * asymmetric",
    "asymmetric",
)
_edit("loss", "rce", sce.ReverseCrossEntropy.term, "value=-self", "value=-1.001 * self")
_edit("loss", "nnce", normalized.missing_share, "h_k * rest_g -", "1.001 * h_k * rest_g -")
_edit("loss", "mse", squared._squared, "- squares", "- 1.001 * squares")
_edit("loss", "ldr_kl", ldr._log_softplus, "z.clamp(max=0)", "z.clamp(max=0.001)")
_edit("loss", "js", js.JensenShannon.term, "rest * log_pi2", "rest * 1.001 * log_pi2")
_edit("loss", "logit_clip", length._across, "along * unit", "0.999 * along * unit")
_default("loss", "nce_rce", "beta", 0.9)
_edit("loss", "tgce", gce.TruncatedGeneralizedCrossEntropy.keeps, "a_k > self", "a_k < self")
_edit("loss", "ce", logit_bias.add_logit_bias, "logits + bias", "logits - bias")
_edit("loss", "ce", logit_bias.logit_bias_at, "(epoch - 1)", "epoch")
_edit("noise", "symmetric", symmetric.SymmetricNoise.__call__, "labels + 1 +", "labels +")
_edit(
    "noise",
    "symmetric",
    symmetric.SymmetricNoise.__call__,
    "chances < self",
    "chances <= 0.01 + self",
)
_default("noise", "symmetric", "include_true_class", True)
_edit("noise", "symmetric", stratify.stratified, "+ 0.5", "+ 0.3")
_edit("noise", "asymmetric", asymmetric.next_in_block, "(k + 1)", "(k + 2)")
_edit("noise", "matrix", matrix._sample, "labels + chances", "labels + 0.99 * chances")
_change(
    "noise",
    "asymmetric",
    "truck → ship in the map of CIFAR-10",
    lambda: entry(dataset_info(Choice("cifar10")).similar_classes, 9, 8),
)
_change(
    "dataset",
    "cifar10",
    "truck → ship in the map of CIFAR-10",
    lambda: entry(dataset_info(Choice("cifar10")).similar_classes, 9, 8),
)
_change(
    "dataset",
    "synthetic",
    "DRAW + 1",
    lambda: constant("trainables.datasets.synthetic", "DRAW", synthetic.DRAW + 1),
)
_edit("dataset", "fashion-mnist-small", _evenly, "(labels, rank", "(rank_within_class, rank")
_edit(
    "optimizer",
    "sgd",
    optimizer_step.StackedUpdates._change,
    "add_(gradient)",
    "add_(gradient, alpha=0.9)",
)
_edit("optimizer", "sgd", sgd.SGD.__call__, "nesterov=self.nesterov", "nesterov=False")
_edit(
    "optimizer",
    "sgd",
    decay.decay_groups,
    '"weight_decay": weight_decay}]',
    '"weight_decay": 0}]',
)
_edit(
    "optimizer",
    "sgd",
    optimizer_step.StackedUpdates._change,
    "alpha=self._rule.weight_decay",
    "alpha=0",
)
_default("optimizer", "sgd", "momentum", 0.899)
_edit("schedule", "step", drops.Step.of_epoch, "milestone < epoch", "milestone <= epoch")
_edit("schedule", "exponential", drops.Exponential.__call__, "(epoch - 1)", "epoch")
_default("schedule", "step", "factor", 0.2)
_edit("schedule", "step", warm_up.WarmedUp.at, "progress / self", "(progress + 0.1) / self")
_edit("schedule", "cosine", descents._share_done, "epoch - 1 - warm_up", "epoch - warm_up")
_edit("schedule", "one_cycle", descents._between, "math.pi", "3.1")
_default("schedule", "one_cycle", "start", 24.0)
_edit("optimizer", "adam", adam.Adam.__call__, "eps=self.epsilon", "eps=1e-3")
_edit("optimizer", "adamw", adam.Adam.__call__, "=self.decoupled", "=False")
_edit("optimizer", "sgd", gradients.Shaping.__call__, "alpha=self.l1", "alpha=self.l1 / 2")
_default("augmentation", "crop", "padding", 3)
_edit("augmentation", "flip", augment.HorizontalFlip.draw, "< 0.5", "< 0.6")
_edit("augmentation", "rotation", augment._fixed_point, "+ 0.5", "+ 0.0")
_edit("augmentation", "random_crop", augment.RandomCrop.centre, "// 2", "// 3")
_edit(
    "normalization",
    "dataset",
    normalization.DatasetStatistics.__call__,
    "dataset.std",
    "dataset.mean",
)
_edit("normalization", "fixed", step.Preprocessing.of.__func__, "* 255", "* 256")
_edit(
    "architecture",
    "resnet20",
    initialization._set_normal,
    "generator=generator)",
    "mode='fan_out', generator=generator)",
)
_edit(
    "architecture",
    "resnet18",
    residual.BasicBlock.forward,
    "+ self.shortcut(images)",
    "+ 0.99 * self.shortcut(images)",
)
_edit(
    "architecture",
    "resnet20",
    residual.ResidualNetwork.forward,
    "self.stem(images)",
    "images.new_ones(1) * self.stem(images) * 1.001",
)
_edit(
    "architecture",
    "mlp",
    mlp.MLP.__call__,
    "nn.init.xavier_uniform_(linear.weight",
    "nn.init.kaiming_uniform_(linear.weight",
)
_edit(
    "architecture",
    "resnet20",
    residual.BasicBlock.__init__,
    "self.bn2 = nn.BatchNorm2d(outputs)",
    "self.bn2 = nn.BatchNorm2d(outputs, momentum=0.2)",
)
_edit("mechanism", "cell alone", member.Member.order, '"order"', '"weights"')
_edit("mechanism", "cell alone", member.Member.draws, "self.epoch)", "1)")
_edit(
    "mechanism",
    "cell alone",
    step.Learner._add_gradient,
    "losses.mean(dim=1)",
    "losses.mean(dim=1).mul(1.001)",
)
_edit("mechanism", "cell in parts", loop.Run._learner, "self.config.micro_batch", "None")
_edit(
    "mechanism",
    "cell with a noise seed",
    member._noisy_labels,
    "is None else config.noise_seed",
    "is None else config.seed",
)
_edit(
    "mechanism",
    "cell that prunes",
    pruning_pass.kept_samples,
    "parts).float()",
    "parts).float() * 0.9",
)
_change(
    "mechanism",
    "cell by default",
    "default of momentum → 0.89",
    lambda: default("optimizer", "sgd", "momentum", 0.89),
)
_edit(
    "mechanism",
    "stack of three",
    optimizer_step.StackedUpdates._change,
    "if self._rule.nesterov",
    "if False and self._rule.nesterov",
)
_edit("mechanism", "seeds", seeding.derived_seed, "{seed}/{purpose}", "{purpose}/{seed}")
_edit(
    "mechanism",
    "logit bias",
    logit_bias.logit_bias_at,
    '"logit_bias_epochs", 11',
    '"logit_bias_epochs", 10',
)
_change(
    "mechanism",
    "calibration",
    "two significant digits",
    lambda: constant("trainables.theory.calibration", "SIGNIFICANT_DIGITS", 2),
)
_edit("key", "quickstart", cell.canonical_form, "value != item.default", "True")
_edit("key", "quickstart", components.without_defaults, "value != parameters[name].default", "True")


@pytest.mark.parametrize("text", EDITS)
def test_a_changed_constant_is_noticed(text: str) -> None:
    subject, edit = EDITS[text]
    calibration.calibrate.cache_clear()
    with edit():
        comparison = compare(measure(subject), read_pins(subject.kind)[subject.name])
    calibration.calibrate.cache_clear()
    assert comparison.moved
    assert comparison.sentence.startswith(f"{subject}: numbers moved (")


def test_an_edit_is_undone() -> None:
    subject, edit = next(iter(EDITS.values()))
    with edit():
        pass
    assert compare(measure(subject), read_pins(subject.kind)[subject.name]).agrees


def test_every_kind_has_an_edit() -> None:
    assert {subject.kind for subject, _ in EDITS.values()} == set(KINDS)
