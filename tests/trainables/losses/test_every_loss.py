"""Every built-in loss: against independent definitions, at the extremes, in half precision."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from loss_accuracy import SPECS, errors_of
from torch import Tensor

from trainables.config import Choice
from trainables.losses import LOSSES, build_loss
from trainables.losses.logit_bias import logit_bias_at

FLOAT64_TOLERANCE = 1e-12
FLOAT32_TOLERANCE = 1e-3
"""A value near 0 is a difference in the bi-tempered loss (3e-4); all others are below 1e-5."""
BF16_TOLERANCE = 0.02
"""Of the largest gradient in the batch: twice the unit round-off of bf16, 2^-8, with its logits."""

MAY_BE_NEGATIVE = {"ldr_kl", "backward_correction"}

IDS = [f"{name}-{number}" for number, (name, _) in enumerate(SPECS)]
every_loss = pytest.mark.parametrize(("name", "parameters"), SPECS, ids=IDS)


def loss_of(name: str, parameters: Mapping[str, Any], num_classes: int) -> Any:
    return build_loss({"name": name, **parameters}, num_classes)


def value_and_gradient(loss: Any, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    variable = logits.clone().requires_grad_()
    values = loss(variable, labels)
    (gradient,) = torch.autograd.grad(values.sum(), variable)
    return values.detach(), gradient


def test_the_list_of_losses_is_complete() -> None:
    modules = {name: LOSSES.component(name).target.__module__ for name in LOSSES.names()}
    ours = {name for name, module in modules.items() if module.startswith("trainables.")}
    assert {name for name, _ in SPECS} == ours


@every_loss
@settings(max_examples=4, deadline=None)
@given(data=st.data())
def test_value_and_gradient_are_those_of_the_definition(
    name: str, parameters: Mapping[str, Any], data: st.DataObject
) -> None:
    scale = data.draw(st.sampled_from([0.1, 1.0, 10.0, 100.0]))
    num_classes = data.draw(st.integers(2, 4))
    draws = data.draw(st.lists(st.floats(-3, 3), min_size=num_classes, max_size=num_classes))
    label = data.draw(st.integers(0, num_classes - 1))
    for dtype, tolerance in (
        (torch.float64, FLOAT64_TOLERANCE),
        (torch.float32, FLOAT32_TOLERANCE),
    ):
        logits = torch.tensor(draws, dtype=dtype) * scale
        assume(away_from_edges(name, parameters, logits, label))
        errors = errors_of(loss_of(name, parameters, 4), name, parameters, logits, label)
        assert max(errors) < tolerance


def away_from_edges(name: str, parameters: Mapping[str, Any], logits: Tensor, label: int) -> bool:
    """Whether the definition has a derivative here, and rounding does not decide on which side."""
    p = logits.softmax(0)
    if name == "tgce":
        return abs(float(p[label]) - parameters["threshold"]) > 1e-3
    if "p_min" in parameters:
        return bool(((p.log() - math.log(parameters["p_min"])).abs() > 0.02).all())
    if name in ("eps_ce", "eps_ce_mae", "bootstrap_hard"):
        first, second = logits.topk(2).values
        floor = (1 + parameters.get("m", 0)) * parameters.get("floor", 0)
        return bool(first > second + 1e-9) and abs(float(p[label]) / (floor or 1e300) - 1) > 1e-3
    if name in ("logit_clip", "sr"):
        return (
            float(logits.norm()) > 1e-3 and abs(float(logits.norm()) - longest(parameters)) > 1e-3
        )
    return True


def longest(parameters: Mapping[str, Any]) -> float:
    """Length of logits that clipping leaves as they are; none in other losses."""
    delta = parameters.get("delta", math.inf)
    return 1 / delta if parameters.get("threshold") == "reciprocal" else delta


@every_loss
@pytest.mark.parametrize("num_classes", [2, 10_000])
def test_finite_at_the_extremes(name: str, parameters: Mapping[str, Any], num_classes: int) -> None:
    logits = torch.randn(6, num_classes, generator=torch.Generator().manual_seed(0))
    for row, size in enumerate((1e4, -1e4, 1e3, -1e3)):
        logits[row, 0] = size
    logits[4] *= 1e4 / logits[4].abs().max()
    for label in (0, 1):
        labels = torch.full((6,), label)
        values, gradient = value_and_gradient(
            loss_of(name, parameters, num_classes), logits, labels
        )
        assert values.isfinite().all() and gradient.isfinite().all()
        assert name in MAY_BE_NEGATIVE or (values >= 0).all()


@every_loss
def test_a_shift_of_all_logits_changes_nothing(name: str, parameters: Mapping[str, Any]) -> None:
    logits, labels = batch(torch.float64)
    loss = loss_of(name, parameters, 10)
    if getattr(loss, "sees_logit_size", False):
        pytest.skip("a shift changes this loss")
    values, gradient = value_and_gradient(loss, logits, labels)
    shifted_values, shifted_gradient = value_and_gradient(loss, logits + 100, labels)
    assert torch.allclose(values, shifted_values, rtol=1e-10)
    assert torch.allclose(gradient, shifted_gradient, rtol=1e-9, atol=1e-14)
    assert gradient.sum(dim=1).abs().max() < 1e-12 * gradient.abs().max()


@every_loss
def test_half_precision_logits(name: str, parameters: Mapping[str, Any]) -> None:
    logits, labels = batch(torch.float32)
    loss = loss_of(name, parameters, 10)
    rounded = logits.bfloat16()
    values, gradient = value_and_gradient(loss, rounded.float(), labels)
    half_values, half_gradient = value_and_gradient(loss, rounded, labels)
    assert half_values.dtype == torch.bfloat16
    assert torch.allclose(half_values.float(), values, rtol=2**-7)
    assert (half_gradient.float() - gradient).abs().max() < BF16_TOLERANCE * gradient.abs().max()


@every_loss
def test_leading_axes_are_batches_of_batches(name: str, parameters: Mapping[str, Any]) -> None:
    logits, labels = batch(torch.float32)
    loss = loss_of(name, parameters, 10)
    together, gradient = value_and_gradient(loss, logits.view(2, -1, 10), labels.view(2, -1))
    flat, flat_gradient = value_and_gradient(loss, logits, labels)
    assert torch.equal(together.flatten(), flat)
    assert torch.equal(gradient.view(-1, 10), flat_gradient)


@pytest.mark.parametrize(
    "name",
    [
        *("mae", "imae", "nce", "nfl", "nce_mae", "nfl_mae"),
        *("rce", "ngce", "nnce", "nnfl", "anl_ce", "anl_fl", "nce_rce", "nfl_rce"),
    ],
)
def test_symmetric_losses_sum_to_the_same_over_all_labels(name: str) -> None:
    logits, _ = batch(torch.float64)
    sums = torch.stack(
        [build_loss({"name": name}, 10)(logits, torch.full((40,), k)) for k in range(10)]
    ).sum(dim=0)
    assert torch.allclose(sums, sums[0].expand(40), rtol=1e-12)


@pytest.mark.parametrize(
    ("spec", "limit", "tolerance"),
    [
        ({"name": "gce", "q": 1e-7}, {"name": "ce"}, 1e-5),
        ({"name": "bitempered", "t1": 1.0, "t2": 1.0}, {"name": "ce"}, 1e-12),
        ({"name": "bitempered", "t1": 1 - 1e-6, "t2": 1 + 1e-6}, {"name": "ce"}, 1e-3),
        ({"name": "nfl", "gamma": 0.0}, {"name": "nce"}, 1e-12),
        ({"name": "sce", "alpha": 1.0, "beta": 0.0}, {"name": "ce"}, 1e-12),
        ({"name": "tgce", "threshold": 1e-15}, {"name": "gce"}, 1e-12),
        ({"name": "nce_mae", "alpha": 0.0, "beta": 1.0}, {"name": "mae"}, 1e-12),
        ({"name": "rce", "log_zero": -2.0}, {"name": "mae"}, 1e-12),
        ({"name": "focal", "gamma": 0.0}, {"name": "ce"}, 1e-12),
        ({"name": "aul", "a": 2.0, "q": 1.0}, {"name": "gce", "q": 1.0}, 1e-12),
        ({"name": "taylor_ce", "order": 1}, {"name": "gce", "q": 1.0}, 1e-12),
        ({"name": "phuber_ce", "tau": 1e12}, {"name": "ce"}, 1e-12),
        ({"name": "phuber_gce", "tau": 1e9}, {"name": "gce"}, 1e-9),
        ({"name": "js", "pi1": 1e-13}, {"name": "ce"}, 1e-3),
        ({"name": "nnfl", "gamma": 0.0}, {"name": "nnce"}, 1e-12),
        ({"name": "amse", "a": 1.0}, {"name": "mse"}, 1e-12),
        (
            {"name": "nce_aul", "alpha": 0.0, "beta": 1.0},
            {"name": "aul", "a": 6.3, "q": 1.5},
            1e-12,
        ),
        ({"name": "nce_ael", "alpha": 0.0, "beta": 1.0}, {"name": "ael", "a": 5.0}, 1e-12),
        ({"name": "jal_fl", "gamma": 0.0}, {"name": "jal_ce"}, 1e-12),
        ({"name": "anl_fl", "gamma": 0.0}, {"name": "anl_ce"}, 1e-12),
        ({"name": "eps_ce", "m": 1e-12, "floor": 1e-30}, {"name": "ce"}, 1e-6),
        ({"name": "label_smoothing", "smoothing": 0.0}, {"name": "ce"}, 1e-12),
        ({"name": "bootstrap_soft", "weight": 0.0}, {"name": "ce"}, 1e-12),
        ({"name": "bootstrap_hard", "weight": 0.0}, {"name": "ce"}, 1e-12),
        ({"name": "forward_correction"}, {"name": "ce"}, 1e-12),
        ({"name": "backward_correction"}, {"name": "ce"}, 1e-12),
        ({"name": "logit_clip", "delta": 1e6}, {"name": "ce"}, 1e-12),
        ({"name": "sr", "weight": 0.0, "tau": 1.0, "normalize": False}, {"name": "ce"}, 1e-12),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else "",
)
def test_limits(spec: dict[str, Any], limit: dict[str, Any], tolerance: float) -> None:
    logits, labels = batch(torch.float64)
    values, gradient = value_and_gradient(build_loss(spec, 10), logits, labels)
    limit_values, limit_gradient = value_and_gradient(build_loss(limit, 10), logits, labels)
    assert torch.allclose(values, limit_values, rtol=tolerance)
    assert torch.allclose(gradient, limit_gradient, rtol=tolerance, atol=tolerance)


def test_a_truncated_loss_gives_no_gradient_below_its_threshold() -> None:
    logits, labels = batch(torch.float64)
    loss = build_loss({"name": "tgce", "threshold": 0.5}, 10)
    _, gradient = value_and_gradient(loss, logits, labels)
    kept = logits.softmax(1).gather(1, labels[:, None])[:, 0] > 0.5
    assert kept.any() and not kept.all()
    assert (gradient[~kept] == 0).all()
    assert (gradient[kept].abs().sum(1) > 0).all()


def test_a_cycle_of_logit_biases() -> None:
    loss = Choice.of("mae", {"logit_bias": (1.0, 2.0, 3.0), "logit_bias_epochs": 11})
    biases = [logit_bias_at(loss, epoch) for epoch in range(1, 45)]
    assert biases == [1.0] * 11 + [2.0] * 11 + [3.0] * 11 + [1.0] * 11


def batch(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Logits [40, 10] from undecided to certain, with labels right and wrong."""
    generator = torch.Generator().manual_seed(5)
    scales = torch.tensor([0.1, 1.0, 4.0, 12.0]).repeat(10)[:, None]
    logits = scales * torch.randn(40, 10, generator=generator)
    labels = torch.randint(10, (40,), generator=generator)
    labels[::3] = logits.argmax(dim=1)[::3]
    return logits.to(dtype), labels
