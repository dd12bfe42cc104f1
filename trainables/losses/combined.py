"""Weighted sums of an active loss and a passive or asymmetric one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from trainables.losses import LOSSES
from trainables.losses.agce import AsymmetricGeneralizedCrossEntropy
from trainables.losses.mae import MeanAbsoluteError
from trainables.losses.normalized import (
    FocalFactors,
    NormalizedCrossEntropy,
    NormalizedFocalLoss,
)
from trainables.losses.softmax import LabelledSoftmax, SoftmaxLoss, Term
from trainables.registry import Range


@LOSSES.register("nce_mae")
@dataclass(frozen=True)
class NormalizedCrossEntropyWithMeanAbsoluteError(SoftmaxLoss):
    """L = alpha NCE + beta MAE, with MAE = 2 (1 - a_k).

    Bounded by alpha + 2 beta and symmetric: Σ_k L = alpha + 2 beta (K - 1). The gradient is the
    weighted sum of the two; at large logits that of NCE is what is left of it.

    Args:
        alpha: >= 0, default 1 (CIFAR-10; 10 for CIFAR-100, 1 for MNIST).
        beta: >= 0, default 1 (CIFAR-10 and CIFAR-100; 100 for MNIST).

    Source: Ma et al., Normalized Loss Functions (ICML 2020). Their code writes MAE without the
    factor 2: its beta = 1 is beta = 0.5 here.
    """

    alpha: Annotated[float, Range(0)] = 1.0
    beta: Annotated[float, Range(0)] = 1.0

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        active = NormalizedCrossEntropy().term(softmax)
        return self.alpha * active + self.beta * MeanAbsoluteError().term(softmax)


@LOSSES.register("nfl_mae")
@dataclass(frozen=True)
class NormalizedFocalLossWithMeanAbsoluteError(SoftmaxLoss):
    """L = alpha NFL + beta MAE, with MAE = 2 (1 - a_k).

    Bounded by alpha + 2 beta and symmetric: Σ_k L = alpha + 2 beta (K - 1). The gradient is the
    weighted sum of the two; at large logits that of NFL is what is left of it.

    Args:
        alpha: >= 0, default 1 (CIFAR-10; 10 for CIFAR-100, 1 for MNIST).
        beta: >= 0, default 1 (CIFAR-10 and CIFAR-100; 10 for MNIST).
        gamma: >= 0, default 0.5.
        focal_factors: as in `NormalizedFocalLoss`.

    Source: Ma et al., Normalized Loss Functions (ICML 2020). Their code writes MAE without the
    factor 2: its beta = 1 is beta = 0.5 here.
    """

    alpha: Annotated[float, Range(0)] = 1.0
    beta: Annotated[float, Range(0)] = 1.0
    gamma: Annotated[float, Range(0)] = 0.5
    focal_factors: FocalFactors = "differentiated"

    @property
    def is_gradient_rule(self) -> bool:
        """Whether the gradient differs from the derivative of the value."""
        return NormalizedFocalLoss(self.gamma, self.focal_factors).is_gradient_rule

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        active = NormalizedFocalLoss(self.gamma, self.focal_factors).term(softmax)
        return self.alpha * active + self.beta * MeanAbsoluteError().term(softmax)


@LOSSES.register("nce_agce")
@dataclass(frozen=True)
class NormalizedCrossEntropyWithAsymmetricGeneralizedCrossEntropy(SoftmaxLoss):
    """L = alpha NCE + beta AGCE(a, q).

    Bounded by alpha + beta ((a + 1)^q - a^q) / q; symmetric only for q = 1. The gradient is the
    weighted sum of the two; at large logits that of NCE is what is left of it.

    Args:
        alpha: >= 0, default 1 (CIFAR-10; 10 for CIFAR-100).
        beta: >= 0, default 4 (CIFAR-10; 0.1 for CIFAR-100).
        a: > 0, default 6 (CIFAR-10; 1.8 for CIFAR-100).
        q: > 0, default 1.5 (CIFAR-10; 3 for CIFAR-100).

    Source: Zhou et al., Asymmetric Loss Functions (ICML 2021).
    """

    alpha: Annotated[float, Range(0)] = 1.0
    beta: Annotated[float, Range(0)] = 4.0
    a: Annotated[float, Range(0, low_open=True)] = 6.0
    q: Annotated[float, Range(0, low_open=True)] = 1.5

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        active = NormalizedCrossEntropy().term(softmax)
        asymmetric = AsymmetricGeneralizedCrossEntropy(self.a, self.q).term(softmax)
        return self.alpha * active + self.beta * asymmetric
