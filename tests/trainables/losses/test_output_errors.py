"""The output errors of Table 1 and appendix A.6, as formulas, against automatic differentiation.

Each formula is compared with the derivative of the plain value, which is written down here a second
time, and with what the loss itself hands back.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from trainables.config import Choice
from trainables.losses import LOSSES

K = 10
A = math.log(1e-4)
Form = Callable[[Tensor, Tensor], Tensor]
"""Softmax outputs a [N, K] and one-hot labels y [N, K] → values [N], or errors [N, K]."""


def labelled(values: Tensor, y: Tensor) -> Tensor:
    """[N, K] → [N, 1]."""
    return (values * y).sum(dim=1, keepdim=True)


def normalized(f: Callable[[Tensor], Tensor]) -> Form:
    return lambda a, y: labelled(f(a), y).squeeze(1) / f(a).sum(dim=1)


def focal(a: Tensor, gamma: float = 0.5) -> Tensor:
    return (1 - a) ** gamma * a.log()


def nce_error(a: Tensor, y: Tensor) -> Tensor:
    total = a.log().sum(dim=1, keepdim=True)
    return -(a - y) / total - labelled(a.log(), y) * (1 - K * a) / total**2


def nf_error(a: Tensor, y: Tensor, gamma: float = 0.5) -> Tensor:
    f, total = focal(a), focal(a).sum(dim=1, keepdim=True)
    h = (1 - a) ** gamma - gamma * (1 - a) ** (gamma - 1) * a * a.log()
    turned = h - a * h.sum(dim=1, keepdim=True)
    return (-labelled(h, y) * (a - y) * total - labelled(f, y) * turned) / total**2


def mae(a: Tensor, y: Tensor) -> Tensor:
    return (a - y).abs().sum(dim=1)


def agce(a: Tensor, y: Tensor, shift: float = 0.6, q: float = 0.6) -> Tensor:
    return ((shift + 1) ** q - (shift + labelled(a, y).squeeze(1)) ** q) / q


def agce_error(a: Tensor, y: Tensor, shift: float = 0.6, q: float = 0.6) -> Tensor:
    a_k = labelled(a, y)
    return a_k * (shift + a_k) ** (q - 1) * (a - y)


def mae_error(a: Tensor, y: Tensor) -> Tensor:
    return 2 * labelled(a, y) * (a - y)


FORMULAS: dict[str, tuple[Choice, Form, Form]] = {
    "CE": (
        Choice("ce"),
        lambda a, y: -labelled(a, y).log().squeeze(1),
        lambda a, y: a - y,
    ),
    "MAE": (Choice("mae"), mae, mae_error),
    "genCE": (
        Choice.of("gce", q=0.7),
        lambda a, y: (1 - labelled(a, y).squeeze(1) ** 0.7) / 0.7,
        lambda a, y: labelled(a, y) ** 0.7 * (a - y),
    ),
    "AGCE": (Choice.of("agce", a=0.6, q=0.6), agce, agce_error),
    "symCE": (
        Choice.of("sce", alpha=2.0, beta=0.5),
        lambda a, y: (
            -2 * labelled(a, y).log().squeeze(1) - 0.5 * A * (1 - labelled(a, y)).squeeze(1)
        ),
        lambda a, y: (2 - 0.5 * A * labelled(a, y)) * (a - y),
    ),
    "NCE": (Choice("nce"), normalized(torch.log), nce_error),
    "NF": (Choice("nfl"), normalized(focal), nf_error),
    "NF-MAE": (
        Choice.of("nfl_mae", alpha=10.0, beta=2.0),
        lambda a, y: 10 * normalized(focal)(a, y) + 2 * mae(a, y),
        lambda a, y: 10 * nf_error(a, y) + 2 * mae_error(a, y),
    ),
    "NCE-MAE": (
        Choice.of("nce_mae", alpha=10.0, beta=2.0),
        lambda a, y: 10 * normalized(torch.log)(a, y) + 2 * mae(a, y),
        lambda a, y: 10 * nce_error(a, y) + 2 * mae_error(a, y),
    ),
    "NCE-AGCE": (
        Choice.of("nce_agce", alpha=10.0, beta=0.1, a=1.8, q=3.0),
        lambda a, y: 10 * normalized(torch.log)(a, y) + 0.1 * agce(a, y, 1.8, 3),
        lambda a, y: 10 * nce_error(a, y) + 0.1 * agce_error(a, y, 1.8, 3),
    ),
}


def samples() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(40, K, generator=generator, dtype=torch.float64)
    return logits.requires_grad_(), torch.randint(K, (40,), generator=generator)


@pytest.mark.parametrize("name", FORMULAS)
def test_the_formula_is_the_derivative_and_what_the_loss_hands_back(name: str) -> None:
    choice, value, error = FORMULAS[name]
    logits, labels = samples()
    y = torch.nn.functional.one_hot(labels, K).double()
    plain = value(logits.softmax(dim=1), y)
    (derivative,) = torch.autograd.grad(plain.sum(), logits)
    loss = LOSSES.build(choice)(logits, labels)
    (handed_back,) = torch.autograd.grad(loss.sum(), logits)
    formula = error(logits.softmax(dim=1).detach(), y)
    assert torch.allclose(loss, plain, rtol=1e-10)
    assert torch.allclose(formula, derivative, atol=1e-12)
    assert torch.allclose(formula, handed_back, atol=1e-12)


def test_the_formula_of_bi_tempered_cross_entropy() -> None:
    """With its tempered softmax p_j = exp_t2(z_j - λ), normalised by bisection here."""
    t1, t2 = 0.8, 1.2
    logits, labels = samples()
    y = torch.nn.functional.one_hot(labels, K).double()
    p = tempered_softmax(logits.detach(), t2)
    d = (p - y) * p ** (t2 - t1)
    formula = d - p**t2 / (p**t2).sum(1, keepdim=True) * d.sum(1, keepdim=True)
    loss = LOSSES.build(Choice.of("bitempered", t1=t1, t2=t2))(logits, labels)
    (handed_back,) = torch.autograd.grad(loss.sum(), logits)
    assert torch.allclose(formula, handed_back, atol=1e-5)


def tempered_softmax(logits: Tensor, t2: float) -> Tensor:
    def at(shift: Tensor) -> Tensor:
        return (1 + (1 - t2) * (logits - shift)).clamp(min=1e-12) ** (1 / (1 - t2))

    low = logits.max(dim=1, keepdim=True).values
    high = low + 1e3
    for _ in range(100):
        middle = (low + high) / 2
        is_low = at(middle).sum(dim=1, keepdim=True) > 1
        low, high = torch.where(is_low, middle, low), torch.where(is_low, high, middle)
    return at(low)


@pytest.mark.parametrize("choice", [Choice.of("gce", q=0.7), Choice.of("agce", a=2.0, q=3.0)])
def test_the_sum_over_labels_comes_to_its_bounds(choice: Choice) -> None:
    """Undecided and sure of one class are the ends; whatever else is lies between."""
    loss = LOSSES.build(choice)
    least, most = loss.sum_bounds(K)
    ends = torch.stack([torch.zeros(K), 1e3 * torch.eye(K)[0]]).double()
    logits = torch.cat([ends, samples()[0].detach()])
    sums = sum(loss(logits, torch.full((len(logits),), k)) for k in range(K))
    assert sorted(sums[:2].tolist()) == pytest.approx([least, most])
    assert float(sums.min()) >= least - 1e-9
    assert float(sums.max()) <= most + 1e-9


def test_the_bounds_of_the_poster() -> None:
    assert LOSSES.build(Choice.of("gce", q=0.7)).sum_bounds(10) == pytest.approx(
        (11.43534, 12.85714)
    )
    assert LOSSES.build(Choice("mae")).sum_bounds(10) == (18.0, 18.0)
