"""Cross-entropy, MAE, generalised cross-entropy and the logit bias against float64 oracles."""

from __future__ import annotations

import math

import pytest
import torch

from trainables.losses import build_loss
from trainables.registry import ComponentError

LOSSES = [{"name": "ce"}, {"name": "mae"}, {"name": "gce", "q": 0.7}, {"name": "gce", "q": 0.1}]


def oracle(spec, p: float) -> tuple[float, float]:
    """Value and ∂L/∂z_k / (a_k - 1) as functions of the labelled probability p."""
    if spec["name"] == "ce":
        return -math.log(p), 1.0
    if spec["name"] == "mae":
        return 2 * (1 - p), 2 * p
    return (1 - p ** spec["q"]) / spec["q"], p ** spec["q"]


@pytest.mark.parametrize("spec", LOSSES)
@pytest.mark.parametrize("num_classes", [2, 10, 1000])
def test_value_and_gradient(spec, num_classes: int) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(8, num_classes, generator=generator, dtype=torch.float64)
    labels = torch.randint(num_classes, (8,), generator=generator)
    logits.requires_grad_()
    values = build_loss(spec, num_classes)(logits, labels)
    (gradient,) = torch.autograd.grad(values.sum(), logits)
    probabilities = logits.detach().softmax(1)
    for row, label in enumerate(labels.tolist()):
        value, weight = oracle(spec, float(probabilities[row, label]))
        assert values[row].item() == pytest.approx(value, rel=1e-12)
        expected = probabilities[row].clone()
        expected[label] -= 1
        assert torch.allclose(gradient[row], weight * expected, rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize("spec", LOSSES)
def test_extreme_logits_stay_finite(spec) -> None:
    logits = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]], requires_grad=True)
    for labels in ([0, 0], [1, 1], [2, 2]):
        values = build_loss(spec, 3)(logits, torch.tensor(labels))
        (gradient,) = torch.autograd.grad(values.sum(), logits)
        assert values.isfinite().all()
        assert gradient.isfinite().all()


@pytest.mark.parametrize("spec", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_per_sample_in_the_dtype_of_the_logits(spec, dtype) -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(5, 4, generator=generator).to(dtype)
    labels = torch.arange(5) % 4
    loss = build_loss(spec, 4)
    batch = loss(logits, labels)
    assert batch.shape == (5,) and batch.dtype == dtype
    single = torch.cat([loss(logits[i : i + 1], labels[i : i + 1]) for i in range(5)])
    assert torch.equal(batch, single)


def test_mae_is_symmetric_and_gce_interpolates() -> None:
    logits = torch.randn(1, 7, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    every = logits.expand(7, 7)
    assert build_loss({"name": "mae"}, 7)(every, torch.arange(7)).sum() == pytest.approx(12)
    labels = torch.tensor([3])
    ce, mae = (build_loss({"name": n}, 7)(logits, labels).item() for n in ("ce", "mae"))
    assert build_loss({"name": "gce", "q": 1}, 7)(logits, labels).item() == pytest.approx(mae / 2)
    near_zero = build_loss({"name": "gce", "q": 1e-6}, 7)(logits, labels).item()
    assert near_zero == pytest.approx(ce, rel=1e-4)


@pytest.mark.parametrize("spec", LOSSES)
def test_the_bias_is_added_to_the_labelled_logit(spec) -> None:
    logits = torch.randn(4, 5, generator=torch.Generator().manual_seed(3))
    labels = torch.tensor([0, 4, 2, 2])
    shifted = logits.clone()
    shifted[torch.arange(4), labels] += 1.5
    biased = build_loss({**spec, "logit_bias": 1.5}, 5)
    assert torch.allclose(biased(logits, labels), build_loss(spec, 5)(shifted, labels))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"name": "gec"}, "unknown loss 'gec'"),
        ({"name": "gce", "q": 0}, r"'q' must lie in \(0, 1\]"),
        ({"name": "gce", "p": 1}, "gce has no parameter 'p'"),
        ({"q": 1}, "needs a 'name'"),
        ({"name": "ce", "logit_bias": "much"}, "must be a number"),
    ],
)
def test_bad_specifications_are_refused(spec, words: str) -> None:
    with pytest.raises(ComponentError, match=words):
        build_loss(spec, 10)
