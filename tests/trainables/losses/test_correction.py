"""Forward and backward correction with a matrix of their own, and the matrices they refuse."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from loss_oracles import value_and_gradient
from torch import Tensor

from trainables.losses import build_loss
from trainables.registry import ComponentError

MATRIX = ((0.7, 0.2, 0.1), (0.0, 0.6, 0.4), (0.05, 0.15, 0.8))
CORRECTIONS = ("forward_correction", "backward_correction")


def with_gradient(loss: Any, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    variable = logits.clone().requires_grad_()
    values = loss(variable, labels)
    (gradient,) = torch.autograd.grad(values.sum(), variable)
    return values.detach(), gradient


@pytest.mark.parametrize("name", CORRECTIONS)
def test_a_matrix_is_that_of_the_definition(name: str) -> None:
    logits = torch.tensor([[0.3, -1.2, 2.0], [8.0, -7.0, 1.0], [0.0, 0.0, 0.0]]).double()
    loss = build_loss({"name": name, "matrix": MATRIX}, 3)
    for label in range(3):
        values, gradient = with_gradient(loss, logits, torch.full((3,), label))
        for row in range(3):
            exact, slope = value_and_gradient(
                name, logits[row].tolist(), label, {"matrix": [list(r) for r in MATRIX]}
            )
            assert values[row].item() == pytest.approx(float(exact), rel=1e-12)
            assert gradient[row].tolist() == pytest.approx([float(x) for x in slope], rel=1e-10)


@pytest.mark.parametrize("name", CORRECTIONS)
def test_a_rate_is_its_matrix(name: str) -> None:
    rate, classes = 0.3, 4
    matrix = [
        [1 - rate if i == j else rate / (classes - 1) for j in range(classes)]
        for i in range(classes)
    ]
    logits = torch.randn(6, classes, generator=torch.Generator().manual_seed(0)).double()
    labels = torch.arange(6) % classes
    by_rate = with_gradient(build_loss({"name": name, "rate": rate}, classes), logits, labels)
    by_matrix = with_gradient(build_loss({"name": name, "matrix": matrix}, classes), logits, labels)
    for ours, theirs in zip(by_rate, by_matrix, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-12)


def test_a_backward_corrected_loss_is_cross_entropy_on_average() -> None:
    logits = torch.randn(1, 3, generator=torch.Generator().manual_seed(1)).double().expand(3, 3)
    labels = torch.arange(3)
    corrected = build_loss({"name": "backward_correction", "matrix": MATRIX}, 3)(logits, labels)
    clean = build_loss({"name": "ce"}, 3)(logits, labels)
    assert torch.allclose(torch.tensor(MATRIX, dtype=torch.float64) @ corrected, clean, rtol=1e-12)


@pytest.mark.parametrize("name", CORRECTIONS)
def test_extremes_stay_finite_with_a_matrix(name: str) -> None:
    logits = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4], [0.0, -1e4, -1e4]])
    for label in range(3):
        loss = build_loss({"name": name, "matrix": MATRIX}, 3)
        values, gradient = with_gradient(loss, logits, torch.full((3,), label))
        assert values.isfinite().all()
        assert gradient.isfinite().all()


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"matrix": [[0.9, 0.1], [0.1, 0.8]]}, "row 1 of 'matrix' sums to 0.9, not 1"),
        ({"matrix": [[0.9, 0.1]]}, "must be square"),
        ({"matrix": [[1.0, 0.0], [1.0, 0.0]]}, "column 1 of 'matrix' is 0"),
        ({"matrix": [[1.1, -0.1], [0.0, 1.0]]}, "must lie in"),
        ({"matrix": MATRIX, "rate": 0.2}, "stands in place of 'rate'"),
    ],
)
@pytest.mark.parametrize("name", CORRECTIONS)
def test_a_bad_matrix_is_refused(name: str, parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(ComponentError, match=words) as raised:
        build_loss({"name": name, **parameters}, 2)
    assert raised.value.key == "matrix"


def test_what_cannot_be_undone_is_refused() -> None:
    with pytest.raises(ComponentError, match="no inverse"):
        build_loss({"name": "backward_correction", "matrix": [[0.5, 0.5], [0.5, 0.5]]}, 2)
    loss = build_loss({"name": "backward_correction", "rate": 0.5}, 2)
    with pytest.raises(ComponentError, match="leaves nothing to tell 2 classes by"):
        loss(torch.zeros(1, 2), torch.tensor([0]))


@pytest.mark.parametrize("name", CORRECTIONS)
def test_a_matrix_of_other_classes_is_refused(name: str) -> None:
    loss = build_loss({"name": name, "matrix": MATRIX}, 3)
    with pytest.raises(ComponentError, match="'matrix' has 3 rows, the network 4 classes"):
        loss(torch.zeros(1, 4), torch.tensor([0]))
