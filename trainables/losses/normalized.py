"""Normalised losses: the labelled term divided by the sum over all possible labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import torch

from trainables.losses import LOSSES
from trainables.losses.softmax import LabelledSoftmax, SoftmaxLoss, Term
from trainables.registry import Published, Range

if TYPE_CHECKING:
    from torch import Tensor

FocalFactors = Literal["differentiated", "detached"]

FIXED_FACTORS: Mapping[str, float | str] = {"gamma": 0.5, "focal_factors": "detached"}
"""Of every published focal loss of this line."""

MA = "configurations of Ma et al. (ICML 2020)"

PUBLISHED_NFL = Published(
    f"{MA}, whose code holds the focal factors fixed",
    dict.fromkeys(("mnist", "cifar10", "cifar100"), FIXED_FACTORS),
)

PUBLISHED_NGCE = Published(MA, {"mnist": {"q": 0.1}, "cifar10": {"q": 0.1}, "cifar100": {"q": 0.7}})


@LOSSES.register("nce")
@dataclass(frozen=True)
class NormalizedCrossEntropy(SoftmaxLoss):
    """L(z, k) = log a_k / N with N = Σ_j log a_j, a = softmax(z).

    In [0, 1] and symmetric: Σ_k L = 1.
    ∂L/∂z_n = (1[n = k] - a_n) / N - log a_k (1 - K a_n) / N²; since N <= -K log K it is small from
    the start, and it vanishes as one over the largest logit.

    Source: Ma et al., Normalized Loss Functions (ICML 2020).
    """

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        return _normalized(softmax, softmax.exact_log_a, torch.ones_like(softmax.a))


@LOSSES.register("nfl", published=PUBLISHED_NFL)
@dataclass(frozen=True)
class NormalizedFocalLoss(SoftmaxLoss):
    """L(z, k) = f_k / F with f_j = (1 - a_j)^gamma log a_j, F = Σ_j f_j, a = softmax(z).

    In [0, 1] and symmetric: Σ_k L = 1. With h_j = ∂f_j/∂log a_j
    = (1 - a_j)^gamma - gamma (1 - a_j)^(gamma-1) a_j log a_j,
    ∂L/∂z_n = [h_k (1[n = k] - a_n) F - f_k (h_n - a_n Σ_j h_j)] / F², which vanishes as one over
    the largest logit.

    Args:
        gamma: >= 0, default 0.5 as in the authors' configurations; 0 is normalised cross-entropy.
        focal_factors: `differentiated` (default) takes the derivative of the formula. `detached`
            treats (1 - a_j)^gamma as constants, h_j = (1 - a_j)^gamma, as the authors' code and its
            descendants do; the gradient is then not that of the value. At the start of training
            the two differ by 10 % for 10 classes and by less than 2 % for 100.

    Source: Ma et al., Normalized Loss Functions (ICML 2020), whose formula is followed by default:
    it is what the theory (symmetry, average error at the start) speaks of.
    """

    gamma: Annotated[float, Range(0)] = 0.5
    focal_factors: FocalFactors = "differentiated"

    @property
    def is_gradient_rule(self) -> bool:
        """Whether the gradient differs from the derivative of the value."""
        return self.focal_factors == "detached" and self.gamma > 0

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        log_a = softmax.exact_log_a
        missing = softmax.missing
        factor = missing**self.gamma
        if self.is_gradient_rule:
            return _normalized(softmax, factor * log_a, factor)
        # log a / (1 - a) → -1 where a rounds to 1.
        ratio = (log_a / missing).masked_fill_(missing == 0, -1.0)
        slope = ratio.mul_(softmax.a).mul_(-self.gamma).add_(1).mul_(factor)
        return _normalized(softmax, factor * log_a, slope)


@LOSSES.register("ngce", published=PUBLISHED_NGCE)
@dataclass(frozen=True)
class NormalizedGeneralizedCrossEntropy(SoftmaxLoss):
    """L(z, k) = (1 - a_k^q) / (K - S) with S = Σ_j a_j^q, a = softmax(z).

    In [0, 1] and symmetric: Σ_k L = 1; for q = 1 it is (1 - a_k) / (K - 1). With N = 1 - a_k^q and
    D = K - S, ∂L/∂z_n = -q a_k^q (1[n = k] - a_n) / D + N q (a_n^q - a_n S) / D², which vanishes
    where the network is sure, right or wrong.

    Args:
        q: > 0, default 0.7 (CIFAR-100; 0.1 for MNIST and CIFAR-10).

    Source: Ma et al., Normalized Loss Functions (ICML 2020). Their configurations multiply it by 10
    for MNIST, which is a learning rate here.
    """

    q: Annotated[float, Range(0, low_open=True)] = 0.7

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        exponent = self.q * softmax.exact_log_a
        powers = torch.exp(exponent)
        terms = (1 - powers).scatter_(
            -1, softmax.top, -torch.expm1(exponent.gather(-1, softmax.top))
        )
        others = missing_share(softmax, terms, powers.mul_(-self.q))
        value = terms.gather(-1, softmax.index) / terms.sum(dim=-1, keepdim=True)
        return Term(value, softmax.balanced(-others.gradient))


def _normalized(softmax: LabelledSoftmax, f: Tensor, h: Tensor) -> Term:
    """f_k / F and its gradient from f_j and h_j = ∂f_j/∂log a_j, [..., K] each.

    With the sums R of f and H of h over the other classes, the terms that cancel are left out.
    """
    index = softmax.index
    f_k, h_k = f.gather(-1, index), h.gather(-1, index)
    rest_f, rest_h = _sum_of_others(f, index), _sum_of_others(h, index)
    total = f_k + rest_f
    # In place: at 1000 classes fresh memory would cost more than the arithmetic.
    others = (rest_h - h).mul_(f_k).sub_(h_k * rest_f).mul_(softmax.a)
    others.sub_((f_k * h).mul_(softmax.missing))
    labelled = h_k * softmax.rest * rest_f + f_k * softmax.a_k * rest_h
    return Term(f_k / total, others.scatter_(-1, index, labelled).div_(total**2))


def _sum_of_others(values: Tensor, index: Tensor) -> Tensor:
    """Σ_{j≠k} of [..., K], [..., 1], without the difference that would lose small ones."""
    labelled = values.gather(-1, index)
    total = values.scatter_(-1, index, 0.0).sum(dim=-1, keepdim=True)
    values.scatter_(-1, index, labelled)
    return total


def missing_share(softmax: LabelledSoftmax, g: Tensor, h: Tensor) -> Term:
    """1 - g_k / G and its gradient from g_j >= 0 and h_j = ∂g_j/∂log a_j, [..., K] each.

    With the sums R of g and H of h over the other classes, the terms that cancel are left out.
    """
    index = softmax.index
    g_k, h_k = g.gather(-1, index), h.gather(-1, index)
    rest_g, rest_h = _sum_of_others(g, index), _sum_of_others(h, index)
    total = g_k + rest_g
    squared = total**2
    others = softmax.a * ((h_k * rest_g - g_k * rest_h) / squared)
    others.addcmul_(h, g_k / squared)
    labelled = -(h_k * softmax.rest * rest_g + g_k * softmax.a_k * rest_h) / squared
    return Term(rest_g / total, others.scatter_(-1, index, labelled))
