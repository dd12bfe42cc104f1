"""What every registered noise kind promises, the ones added tomorrow included."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from trainables.config import Choice
from trainables.datasets import dataset_info
from trainables.noise import NOISES, NoiseContext
from trainables.noise.measure import realized_rate
from trainables.seeding import generator

TRUE = torch.arange(10_000) % 10
CIFAR10 = dataset_info(Choice("cifar10"))
UNEVEN = tuple(tuple(0.7 if j == k else 0.3 / 9 for j in range(10)) for k in range(10))

CASES = {
    "none": [({}, 0.0)],
    "symmetric": [
        ({"rate": 0.3}, 0.3),
        ({"rate": 0.3, "include_true_class": True}, 0.27),
        ({"rate": 0.3, "exact": True}, 0.3),
    ],
    "asymmetric": [
        ({"rate": 0.3}, 0.15),
        ({"rate": 0.3, "exact": True}, 0.15),
        ({"rate": 1, "per_run": True}, 0.4),
        ({"rate": 0.3, "sequential": True}, 0.141),
    ],
    "pair_flip": [({"rate": 0.45}, 0.45), ({"rate": 0.45, "exact": True}, 0.45)],
    "matrix": [({"matrix": UNEVEN}, 0.3), ({"matrix": UNEVEN, "exact": True}, 0.3)],
}
"""Kind → parameters and the share of wrong labels to be expected on CIFAR-10."""

NEED_FILES = {"human"}
"""Kinds that read recorded labels; their own tests hold what is promised here."""

CHOICES = [
    pytest.param(Choice.of(kind, parameters), rate, id=f"{kind} {' '.join(parameters)}".strip())
    for kind, cases in CASES.items()
    for parameters, rate in cases
]


def corrupt(choice: Choice, seed: int) -> torch.Tensor:
    labels = TRUE.clone()
    given = NOISES.build(choice)(labels, NoiseContext(CIFAR10, generator(seed, "noise"), Path()))
    assert torch.equal(labels, TRUE), "the true labels were written to"
    return given


def test_every_registered_kind_is_tried() -> None:
    assert set(NOISES.names()) == {*CASES, *NEED_FILES}


@pytest.mark.parametrize(("choice", "rate"), CHOICES)
def test_labels_are_valid_and_as_wrong_as_promised(choice: Choice, rate: float) -> None:
    given = corrupt(choice, seed=0)
    assert given.shape == TRUE.shape and given.dtype == torch.int64 and given.device.type == "cpu"
    assert given.min() >= 0 and given.max() < CIFAR10.num_classes
    five_sigma = 5 * math.sqrt(rate * (1 - rate) / len(TRUE))
    assert realized_rate(TRUE, given) == pytest.approx(rate, abs=five_sigma)


@pytest.mark.parametrize(("choice", "rate"), CHOICES)
def test_labels_depend_on_the_generator_alone(choice: Choice, rate: float) -> None:
    before = torch.get_rng_state()
    first = corrupt(choice, seed=0)
    torch.rand(3)
    assert torch.equal(first, corrupt(choice, seed=0))
    torch.set_rng_state(before)
    corrupt(choice, seed=0)
    assert torch.equal(before, torch.get_rng_state())
    is_random = choice.name != "none" and not choice.get("per_run")
    assert torch.equal(first, corrupt(choice, seed=1)) is not is_random


@pytest.mark.parametrize(("choice", "rate"), CHOICES)
def test_parameters_resolve_to_themselves(choice: Choice, rate: float) -> None:
    resolved = NOISES.resolve(choice)
    assert NOISES.resolve(resolved) == resolved
    assert torch.equal(corrupt(resolved, 0), corrupt(choice, 0))
