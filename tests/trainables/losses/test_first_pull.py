"""How strongly the losses pull at first, against figures computed apart from this program."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from trainables.config import Choice
from trainables.losses import LOSSES, build_loss
from trainables.theory.calibration import initial_error
from trainables.theory.early_learning import labelled_error

BUILT_IN = LOSSES.names()
"""Taken before any test registers a loss of its own."""

PULLS: list[tuple[dict[str, Any], float, float]] = [
    ({"name": "ce"}, -0.899, -0.990),
    ({"name": "rce"}, -0.744, -0.089),
    ({"name": "mae"}, -0.161, -0.019),
    ({"name": "nce"}, -0.032, -0.0019),
    ({"name": "nnce"}, -0.0068, -0.0009),
    ({"name": "nnfl", "focal_factors": "detached"}, -0.0064, -0.0009),
    ({"name": "ngce", "q": 0.7}, -0.0131, -0.0003),
    ({"name": "amse", "a": 30.0}, -0.483, -0.0059),
    ({"name": "amse", "a": 20.0}, -0.322, -0.0039),
    ({"name": "js", "pi1": 0.5}, -0.256, -0.058),
    ({"name": "ael", "a": 2.5}, -0.030, -0.0039),
    ({"name": "aul", "a": 5.5, "q": 3.0}, -2.28, -0.293),
    ({"name": "phuber_ce", "tau": 2.0}, -0.161, -0.020),
    ({"name": "phuber_ce", "tau": 10.0}, -0.565, -0.097),
    ({"name": "phuber_ce", "tau": 50.0}, -0.857, -0.406),
    ({"name": "ldr_kl", "margin": 0.1, "lam": 10.0}, -0.55, -0.61),
]
"""Loss → mean ∂L/∂z_k over logits from N(0, 1), the labelled one too, for K = 10 and 100."""


@pytest.mark.parametrize(("spec", "at_10", "at_100"), PULLS, ids=lambda value: str(value)[:40])
def test_the_mean_labelled_gradient_is_the_known_one(
    spec: dict[str, Any], at_10: float, at_100: float
) -> None:
    for num_classes, expected in ((10, at_10), (100, at_100)):
        generator = torch.Generator().manual_seed(0)
        logits = torch.randn(400_000 // num_classes, num_classes, generator=generator).double()
        found = float(labelled_error(build_loss(spec, num_classes), logits).mean())
        # The figures are rounded to their last digit, and were sampled.
        digits = len(str(expected).partition(".")[2])
        assert found == pytest.approx(expected, abs=0.6 * 10**-digits, rel=0.05)


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_loss_has_a_first_error(name: str) -> None:
    found = initial_error(Choice(name), 10)
    assert -10 < found.value < 0 or name == "tgce"
    assert found.standard_error < 0.01
