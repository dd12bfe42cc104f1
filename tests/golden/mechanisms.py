"""Golden runs of what no registry names: seeds, logit bias, calibration, whole trainings.

A mechanism has no revision: whoever moves its numbers moves those of every cell it is part of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import torch

from tests.golden.figures import Figure, digest, double, exact, exact_list, single
from tests.golden.inputs import logits
from trainables.components import build_config, choices, revisions
from trainables.config import Choice, TrainingResult
from trainables.losses import build_loss
from trainables.losses.logit_bias import has_logit_bias, logit_bias_at
from trainables.seeding import Purpose, derived_seed, generator
from trainables.theory.calibration import settle
from trainables.theory.early_learning import mean_error
from trainables.training.train import train, train_stack


@dataclass(frozen=True)
class Mechanism:
    """What is measured, and the fields of the cells that are trained for it."""

    measure: Callable[[], Mapping[str, Figure]]
    cells: tuple[Mapping[str, Any], ...] = ()

    @property
    def revisions(self) -> Mapping[str, int]:
        """Component → revision, over all its cells."""
        found: dict[str, int] = {}
        for config in map(build_config, self.cells):
            numbers = revisions(config)
            for field, choice in choices(config).items():
                found[f"{field.partition('[')[0]} {choice.name}"] = numbers[field]
        return dict(sorted(found.items()))


def _seeds() -> Mapping[str, Figure]:
    purposes = get_args(Purpose)
    order = torch.randperm(1000, generator=generator(0, "order", 1))
    uniform = torch.rand(1000, generator=generator(0, "noise"))
    return {
        "purposes": exact_list(purposes),
        "derived seeds": exact(*(derived_seed(7, name, 3) for name in purposes), place="purpose"),
        "of the whole run": exact(derived_seed(0, "weights"), derived_seed(0, "noise")),
        "an order": digest(order.numpy()),
        "first of the order": exact(*order[:10].tolist(), place="step"),
        "draws": digest((uniform.double() * 2**24).long().numpy()),
    }


def _logit_bias() -> Mapping[str, Figure]:
    cycle = Choice.of("mae", logit_bias=[0.5, 0.0, 2.0])
    short = cycle.replace(logit_bias_epochs=4)
    values, labels = logits(10)
    biased = build_loss({"name": "mae", "logit_bias": 0.5}, 10)
    return {
        "ε of a cycle": exact(*(logit_bias_at(cycle, e) for e in range(1, 37, 5)), place="place"),
        "ε of a short cycle": exact(*(logit_bias_at(short, e) for e in range(1, 16))),
        "has one": exact(has_logit_bias(cycle), has_logit_bias(Choice("mae"))),
        "a biased loss": double(biased(values, labels), "sample"),
    }


def _calibration() -> Mapping[str, Figure]:
    gce = settle({"name": "gce", "q": {"calibrate": {"from_classes": 10}}}, 100)
    own = {"from_classes": 10, "from": {"alpha": 2.0}}
    sce = settle({"name": "sce", "alpha": {"calibrate": own}}, 100)
    return {
        "q of gce, 10 → 100 classes": exact(gce["q"]),
        "alpha of sce, 10 → 100 classes": exact(sce["alpha"]),
        "logit bias for 100 classes": exact(
            settle({"name": "mae", "logit_bias": "auto"}, 100)["logit_bias"]
        ),
        "first error of mae": double([mean_error(build_loss({"name": "mae"}, 10), 10, 0.0).value]),
    }


Fields = Mapping[str, Any]

QUICK: Fields = {
    "dataset": {"name": "fashion-mnist-small", "train_size": 500, "test_size": 200},
    "architecture": {"name": "mlp", "hidden": [24]},
    "loss": {"name": "mae", "logit_bias": [0.5, 0.0], "logit_bias_epochs": 1},
    "noise": {"kind": "symmetric", "rate": 0.4},
    "learning_rate": 0.02,
    "optimizer": {"name": "sgd", "weight_decay": 0.001, "nesterov": True},
    "schedule": {"name": "step", "milestones": [1], "factor": 0.5},
    "augmentation": ["flip", {"name": "crop", "padding": 2}],
    "epochs": 2,
    "batch_size": 64,
}
"""Small, yet everything enters; the last batch is shorter than the others."""

DEFAULTS: Fields = {name: QUICK[name] for name in ("dataset", "architecture", "learning_rate")}
"""The fields that a cell must have; all others by default."""

PRUNING = {"name": "tgce", "start_prune": 2, "prune_every": 1, "threshold": 0.12}

CONVOLUTIONAL: Fields = {
    "dataset": {"name": "synthetic", "images": 48},
    "architecture": "resnet20",
    "loss": "ce",
    "learning_rate": 0.001,
    "augmentation": [{"name": "random_crop", "size": 24}, {"name": "rotation", "degrees": 9}],
    "epochs": 2,
    "batch_size": 16,
}

STACK: tuple[Fields, ...] = (
    QUICK,
    {**QUICK, "loss": "ce", "seed": 1},
    {**QUICK, "loss": "gce", "learning_rate": 0.01, "noise": "none"},
)


def _result(result: TrainingResult, prefix: str = "", relative: float = 1e-4) -> dict[str, Figure]:
    """What a cell stores, but for clock and memory."""
    losses = {
        "train_loss": single((e.train_loss or 0.0 for e in result.epochs), "epoch"),
        "test_loss": single((e.test_loss or 0.0 for e in result.epochs), "epoch"),
    }
    found = {
        **{name: Figure(f.values, relative, f.absolute, f.place) for name, f in losses.items()},
        # One image more or less may cross the border by rounding.
        "train_accuracy_noisy": _share(e.train_accuracy_noisy for e in result.epochs),
        "train_accuracy_clean": _share(e.train_accuracy_clean for e in result.epochs),
        "test_accuracy": _share(e.test_accuracy for e in result.epochs),
        "memorization": _share(e.memorization for e in result.epochs),
        "learning_rate": double((e.learning_rate for e in result.epochs), "epoch"),
        "parameters": exact(result.num_parameters),
        "noisy labels": exact(result.noisy_label_sha256),
        "realized noise rate": double([result.realized_noise_rate or 0.0]),
        "diverged epoch": exact(result.diverged_epoch),
    }
    return {f"{prefix}{name}": figure for name, figure in found.items()}


def _share(shares: Iterator[float | None]) -> Figure:
    return Figure(tuple(-1.0 if x is None else x for x in shares), 1e-6, 0.012, "epoch")


def _alone(fields: Fields, relative: float = 1e-4) -> Mechanism:
    def measure() -> Mapping[str, Figure]:
        return _result(train(build_config(fields), device="cpu"), relative=relative)

    return Mechanism(measure, (fields,))


def _stacked() -> Mapping[str, Figure]:
    found: dict[str, Figure] = {}
    results = train_stack([build_config(fields) for fields in STACK], device="cpu")
    for position, result in enumerate(results, start=1):
        found |= _result(result, f"member {position}: ")
    return found


MECHANISMS = {
    "seeds": Mechanism(_seeds),
    "logit bias": Mechanism(_logit_bias),
    "calibration": Mechanism(_calibration),
    "cell alone": _alone(QUICK),
    "cell by default": _alone({**DEFAULTS, "loss": "ce", "epochs": 2}),
    "cell in parts": _alone({**CONVOLUTIONAL, "micro_batch": 6}, relative=1e-3),
    "cell with a noise seed": _alone({**QUICK, "noise_seed": 5, "seed": 1}),
    "cell in bf16": _alone({**QUICK, "precision": "bf16"}, relative=2e-2),
    "cell that prunes": _alone({**QUICK, "loss": PRUNING}),
    "convolutional cell": _alone(CONVOLUTIONAL, relative=1e-3),
    "stack of three": Mechanism(_stacked, STACK),
}
