"""The logit law at initialisation, against sampling and the published and recomputed figures."""

from __future__ import annotations

import math

import pytest
import torch

from trainables.config import Choice
from trainables.losses import LOSSES, build_loss
from trainables.theory.early_learning import (
    depends_on_labelled_alone,
    labelled_error,
    logit_bias,
    mean_activation,
    mean_error,
    root,
    weighting_variance,
)
from trainables.theory.rivals import rival_law

EPSILON = {
    0.1473: {10: 0.50, 14: 0.90, 50: 2.29, 100: 3.01, 200: 3.71, 1000: 5.33},
    0.15: {10: 0.52, 14: 0.93, 50: 2.32, 100: 3.03, 200: 3.74, 1000: 5.36},
    0.25: {10: 1.27, 100: 3.77, 1000: 6.09},
    0.5: {10: 2.62, 100: 5.09, 1000: 7.41},
}
"""c → K → ε, sampled independently of this program (Gauss-Hermite in z_k, 2 million draws)."""

AT_ZERO = {
    "ce": (-0.928, -0.994, -0.999),
    "mae": (-0.133, -0.0123, -0.00121),
    "gce": (-0.145, -0.0282, -0.0056),
    "agce": (-0.0775, -0.0075, -0.00074),
    "nce": (-0.0335, -0.00194, -0.000135),
    "nfl": (-0.0369, -0.00198, -0.000135),
}
"""Loss → ⟨δ_k⟩(0) for K = 10, 100, 1000, sampled independently, three digits."""

BUILT_IN = LOSSES.names()
"""Taken before any test registers a loss of its own."""

VARIANCES = {16: 354.1133, 8: 4.54608, 4: 0.29850, 2: 0.04004, 1: 0.00743, 0.5: 0.00160, 0: 0.0}


@pytest.mark.parametrize("activation", EPSILON)
def test_the_logit_bias_solves_equation_4(activation: float) -> None:
    for classes, expected in EPSILON[activation].items():
        found = logit_bias(classes, activation)
        assert found == pytest.approx(expected, abs=0.01)
        assert mean_activation(classes, found) == pytest.approx(activation, abs=1e-5)


def test_no_bias_is_needed_with_few_classes() -> None:
    assert logit_bias(5) == 0.0


@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_the_mean_softmax_output_is_one_over_k(classes: int) -> None:
    assert mean_activation(classes, 0.0) == pytest.approx(1 / classes, rel=1e-4)


def test_the_law_of_the_rivals_has_the_moments_of_a_sum_of_lognormals() -> None:
    values, law = rival_law(100)
    mean = float(values @ law)
    variance = float((values - mean) ** 2 @ law)
    assert mean == pytest.approx(99 * math.exp(0.5), rel=1e-4)
    assert variance == pytest.approx(99 * (math.e - 1) * math.e, rel=1e-2)


@pytest.mark.parametrize("name", AT_ZERO)
def test_the_mean_error_at_zero_is_the_known_one(name: str) -> None:
    for classes, expected in zip((10, 100, 1000), AT_ZERO[name], strict=True):
        found = mean_error(build_loss(Choice(name), classes), classes, 0.0)
        assert found.value == pytest.approx(expected, rel=0.01)
        assert (found.standard_error == 0) == (name not in ("nce", "nfl"))


@pytest.mark.parametrize("name", ["ce", "gce", "sce", "imae"])
def test_integration_agrees_with_sampling(name: str) -> None:
    loss = build_loss(Choice(name), 10)
    logits = torch.randn(200_000, 10, generator=torch.Generator().manual_seed(5)).double()
    logits[:, 0] = 0.7
    errors = labelled_error(loss, logits)
    tolerance = 5 * float(errors.std()) / math.sqrt(len(errors))
    assert mean_error(loss, 10, 0.7).value == pytest.approx(float(errors.mean()), abs=tolerance)


def test_the_logit_bias_shifts_the_curve() -> None:
    biased = build_loss({"name": "mae", "logit_bias": 3.0}, 100)
    plain = build_loss({"name": "mae"}, 100)
    assert mean_error(biased, 100, -1.0).value == mean_error(plain, 100, 2.0).value


def test_sampled_errors_are_repeatable() -> None:
    loss = build_loss(Choice("nce"), 10)
    assert mean_error(loss, 10, 0.0) == mean_error(loss, 10, 0.0)


def test_which_losses_see_the_labelled_class_alone() -> None:
    alone = {name for name in BUILT_IN if depends_on_labelled_alone(LOSSES.build(Choice(name)))}
    assert alone == {
        *("ce", "mae", "gce", "tgce", "sce", "agce", "imae"),
        *("rce", "focal", "aul", "ael", "phuber_ce", "phuber_gce", "taylor_ce", "js"),
        # As they stand without noise: cross-entropy.
        *("forward_correction", "backward_correction"),
    }


@pytest.mark.parametrize("temperature", VARIANCES)
def test_imae_weighting_variances(temperature: float) -> None:
    loss = LOSSES.build(Choice.of("imae", temperature=float(temperature)))
    assert weighting_variance(loss) == pytest.approx(VARIANCES[temperature], rel=1e-3, abs=5e-6)


def test_weighting_variances_in_closed_form() -> None:
    assert weighting_variance(LOSSES.build(Choice("mae"))) == pytest.approx(16 / 30 - 4 / 9)
    assert weighting_variance(LOSSES.build(Choice("ce"))) == pytest.approx(1 / 3)


def test_a_root_needs_a_change_of_sign() -> None:
    assert root(lambda x: x * x - 2, 0.0, 2.0) == pytest.approx(math.sqrt(2), rel=1e-6)
    with pytest.raises(ValueError, match="no solution"):
        root(lambda x: x + 1, 0.0, 2.0)
