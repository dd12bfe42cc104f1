"""Squared error on probabilities, plain and asymmetric, and joint asymmetric losses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import torch

from trainables.losses import LOSSES
from trainables.losses.normalized import (
    FIXED_FACTORS,
    FocalFactors,
    NormalizedCrossEntropy,
    NormalizedFocalLoss,
)
from trainables.losses.softmax import LabelledSoftmax, SoftmaxLoss, Term
from trainables.registry import Published, Range

_JAL: Mapping[str, Mapping[str, float]] = {
    "cifar10": {"alpha": 1.0, "beta": 1.0, "a": 30.0},
    "cifar100": {"alpha": 5.0, "beta": 1.0, "a": 20.0},
    "webvision": {"alpha": 50.0, "beta": 1.0, "a": 30.0},
    "clothing1m": {"alpha": 5.0, "beta": 0.1, "a": 5.0},
}

JOINT = "configurations of the authors (2025), which add an L1 penalty of 5e-5 and 5e-6 on CIFAR"

PUBLISHED_JAL_CE = Published(JOINT, _JAL)

PUBLISHED_JAL_FL = Published(
    f"{JOINT} and hold the focal factors fixed",
    {name: {**weights, **FIXED_FACTORS} for name, weights in _JAL.items()},
)


@LOSSES.register("mse")
@dataclass(frozen=True)
class MeanSquaredError(SoftmaxLoss):
    """L(z, k) = (1/K) Σ_n (a_n - 1[n = k])² with a = softmax(z).

    Bounded by 2/K; not symmetric, but Σ_k L = 1 - 2/K + Σ_n a_n² lies within 1 - 1/K and
    2 (1 - 1/K). ∂L/∂z_n = (2/K) [a_n (a_n - Σ_j a_j²) + a_k (a_n - 1[n = k])], which vanishes where
    the network is sure, right or wrong. Of 1 - a_k it has the coefficient 2/K. Some code leaves out
    the 1/K; a learning rate there is 1/K of one here.

    Source: Ghosh et al., Robust Loss Functions under Label Noise (AAAI 2017, arXiv 1712.09482),
    with the 1/K of Ye et al. (NeurIPS 2023).
    """

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        return _squared(softmax, 1.0)


@LOSSES.register("amse")
@dataclass(frozen=True)
class AsymmetricMeanSquaredError(SoftmaxLoss):
    """L(z, k) = (1/K) Σ_n (a_n - a 1[n = k])² with a_n the softmax outputs, a the parameter.

    From (a - 1)²/K, which it keeps however well the label is learned, to (a² + 1)/K; not
    symmetric. ∂L/∂z_n = (2/K) [a_n (a_n - Σ_j a_j²) + a a_k (a_n - 1[n = k])], which vanishes
    where the network is sure, right or wrong. Of 1 - a_k it has the coefficient 2 a / K. Certainty
    of the majority label is optimal if a (w_k - w_j) >= Σ_j w_j for label shares w: under symmetric
    noise of rate η if a >= 1 / (1 - η K / (K - 1)).

    Args:
        a: >= 1, default 30 (CIFAR-10; 20 for CIFAR-100); 1 is `mse`.

    Source: Joint Asymmetric Loss (2025), by its authors' code.
    """

    a: Annotated[float, Range(1)] = 30.0

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        return _squared(softmax, self.a)


@LOSSES.register("jal_ce", published=PUBLISHED_JAL_CE)
@dataclass(frozen=True)
class JointAsymmetricCrossEntropy(SoftmaxLoss):
    """L = alpha NCE + beta AMSE(a).

    Bounded by alpha + beta (a² + 1)/K; not symmetric. The value is mostly the constant beta a²/K of
    AMSE, so that logged losses look large. The gradient is the weighted sum of the two. On CIFAR
    the published method adds an L1 penalty on all weights, which is an option of the optimizer.

    Args:
        alpha: >= 0, default 1 (CIFAR-10; 5 for CIFAR-100).
        beta: >= 0, default 1 (CIFAR-10 and CIFAR-100).
        a: >= 1, default 30 (CIFAR-10; 20 for CIFAR-100).

    Source: Joint Asymmetric Loss (2025), by its authors' code.
    """

    alpha: Annotated[float, Range(0)] = 1.0
    beta: Annotated[float, Range(0)] = 1.0
    a: Annotated[float, Range(1)] = 30.0

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        active = NormalizedCrossEntropy().term(softmax)
        return self.alpha * active + self.beta * _squared(softmax, self.a)


@LOSSES.register("jal_fl", published=PUBLISHED_JAL_FL)
@dataclass(frozen=True)
class JointAsymmetricFocalLoss(SoftmaxLoss):
    """L = alpha NFL + beta AMSE(a).

    Bounded by alpha + beta (a² + 1)/K; not symmetric. All else as in `jal_ce`.

    Args:
        alpha: >= 0, default 1 (CIFAR-10; 5 for CIFAR-100).
        beta: >= 0, default 1 (CIFAR-10 and CIFAR-100).
        a: >= 1, default 30 (CIFAR-10; 20 for CIFAR-100).
        gamma: >= 0, default 0.5.
        focal_factors: as in `nfl`.

    Source: Joint Asymmetric Loss (2025), by its authors' code.
    """

    alpha: Annotated[float, Range(0)] = 1.0
    beta: Annotated[float, Range(0)] = 1.0
    a: Annotated[float, Range(1)] = 30.0
    gamma: Annotated[float, Range(0)] = 0.5
    focal_factors: FocalFactors = "differentiated"

    @property
    def is_gradient_rule(self) -> bool:
        """Whether the gradient differs from the derivative of the value."""
        return NormalizedFocalLoss(self.gamma, self.focal_factors).is_gradient_rule

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        active = NormalizedFocalLoss(self.gamma, self.focal_factors).term(softmax)
        return self.alpha * active + self.beta * _squared(softmax, self.a)


def _squared(softmax: LabelledSoftmax, a: float) -> Term:
    """(1/K) Σ_n (a_n - a 1[n = k])² and its gradient, in terms of 1 - a_k and Q = Σ_{j≠k} a_j²."""
    classes = softmax.a.shape[-1]
    p, rest = softmax.a_k, softmax.rest
    distance = a - 1 + rest
    # `error` holds the other classes, and 1 - a_k in the labelled place.
    total = torch.linalg.vecdot(softmax.error, softmax.error).unsqueeze(-1)
    squares = (total - rest**2).clamp(min=0)
    gradient = softmax.a * (softmax.a + (p * distance - squares))
    gradient.scatter_(-1, softmax.index, -p * (distance * rest + squares))
    return Term((distance**2 + squares) / classes, softmax.balanced(gradient) * (2 / classes))
