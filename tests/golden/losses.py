"""Golden runs of losses: values, gradients and what a tiny network learns from them."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping

import torch

from tests.golden.figures import Figure, double, exact, exact_list, single
from tests.golden.inputs import logits, projection
from trainables.components import build_config, revisions
from trainables.config import Choice, TrainingConfig
from trainables.losses import LOSSES, PruningLoss
from trainables.losses.logit_bias import add_logit_bias, logit_bias_at
from trainables.training.train import train

CLASS_COUNTS = (10, 100)
EPOCH = 2
"""Whose logit bias is on the labelled logit: the second, so that a cycle shows."""


def figures(choice: Choice) -> Mapping[str, Figure]:
    """Of one loss with all its parameters."""
    return {**dict(_derivatives(choice)), **_pruning(choice), **_training(choice)}


@functools.cache
def used_revisions() -> Mapping[str, int]:
    """Of everything but the loss that the tiny training uses."""
    return {kind: n for kind, n in revisions(_config(Choice("ce"))).items() if kind != "loss"}


def _derivatives(choice: Choice) -> Iterator[tuple[str, Figure]]:
    loss, bias = LOSSES.build(choice), logit_bias_at(choice, EPOCH)
    for classes in _class_counts(choice):
        values, labels = logits(classes)
        values.requires_grad_()
        losses = loss(add_logit_bias(values, labels, bias), labels)
        (gradient,) = torch.autograd.grad(losses.sum(), values)
        labelled = gradient.gather(1, labels.unsqueeze(1)).squeeze(1)
        yield f"value, {classes} classes", double(losses.detach(), "sample")
        yield f"∂L/∂z_k, {classes} classes", double(labelled, "sample")
        yield f"Σ w ∂L/∂z, {classes} classes", double(projection(gradient), "sample")


def _class_counts(choice: Choice) -> tuple[int, ...]:
    """A loss with a matrix is one for that many classes."""
    matrix = choice.get("matrix")
    return (len(matrix),) if matrix else CLASS_COUNTS


def _pruning(choice: Choice) -> Mapping[str, Figure]:
    """When a pruning loss prunes and what it keeps; nothing of other losses."""
    loss = LOSSES.build(choice)
    if not isinstance(loss, PruningLoss):
        return {}
    values, labels = logits(10)
    passes = [epoch for epoch in range(1, 121) if loss.prunes_after(epoch)]
    return {
        "passes follow the epochs": exact_list(passes) if passes else exact(None),
        "keeps": exact(*loss.keeps(values, labels).tolist(), place="sample"),
        "loss of what is kept": double(loss.kept_loss(values, labels), "sample"),
    }


def _training(choice: Choice) -> Mapping[str, Figure]:
    epochs = train(_config(choice), device="cpu").epochs
    return {
        "train_loss": single((epoch.train_loss or 0.0 for epoch in epochs), "epoch"),
        "test_loss": single((epoch.test_loss or 0.0 for epoch in epochs), "epoch"),
    }


def _config(choice: Choice) -> TrainingConfig:
    return build_config(
        {
            "dataset": {"name": "synthetic", "like": "fashion-mnist", "images": 96},
            "architecture": {"name": "mlp", "hidden": [8]},
            "loss": {"name": choice.name, **choice.as_dict()},
            "noise": {"kind": "symmetric", "rate": 0.4},
            "learning_rate": 0.02,
            "epochs": 2,
            "batch_size": 32,
        }
    )
