"""Normalised negative losses, and active negative losses: a normalised one plus its negative."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from trainables.losses import LOSSES
from trainables.losses.normalized import (
    FIXED_FACTORS,
    FocalFactors,
    NormalizedCrossEntropy,
    NormalizedFocalLoss,
    missing_share,
)
from trainables.losses.softmax import LabelledSoftmax, SoftmaxLoss, Term
from trainables.registry import Published, Range

SMALLEST = Range(0, 1e-5, low_open=True)
"""Of p_min, so that it stays below 1/K."""

ACTIVE_NEGATIVE = "configurations of Ye et al. (NeurIPS 2023), which add an L1 penalty"

PUBLISHED_ANL_CE = Published(
    f"{ACTIVE_NEGATIVE} of 1e-6, 5e-5, 5e-7 and 5e-6; clothing1m: Wang et al. (NeurIPS 2024), "
    "without it and with p_min 1e-8",
    {
        "mnist": {"alpha": 1.0, "beta": 1.0},
        "cifar10": {"alpha": 5.0, "beta": 5.0},
        "cifar100": {"alpha": 10.0, "beta": 1.0},
        "webvision": {"alpha": 20.0, "beta": 1.0},
        "clothing1m": {"alpha": 5.0, "beta": 0.1, "p_min": 1e-8},
    },
)

PUBLISHED_ANL_FL = Published(
    f"{ACTIVE_NEGATIVE} of 1e-6, 5e-5 and 5e-7 and hold the focal factors fixed; webvision and "
    "clothing1m: Wang et al. (NeurIPS 2024), with p_min 1e-8",
    {
        "mnist": {"alpha": 1.0, "beta": 1.0, **FIXED_FACTORS},
        "cifar10": {"alpha": 5.0, "beta": 5.0, **FIXED_FACTORS},
        "cifar100": {"alpha": 10.0, "beta": 1.0, **FIXED_FACTORS},
        "webvision": {"alpha": 20.0, "beta": 1.0, "p_min": 1e-8, **FIXED_FACTORS},
        "clothing1m": {"alpha": 5.0, "beta": 0.1, "p_min": 1e-8, **FIXED_FACTORS},
    },
)


@LOSSES.register("nnce")
@dataclass(frozen=True)
class NormalizedNegativeCrossEntropy(SoftmaxLoss):
    """L(z, k) = 1 - g_k / Σ_j g_j with g_j = max(log a_j, log p_min) - log p_min, a = softmax(z).

    In [0, 1] and symmetric: Σ_k L = K - 1. With c_j = 1[a_j > p_min], G = Σ_j g_j and C = Σ_j c_j,
    ∂L/∂z_n = -[c_k (1[n = k] - a_n) G - g_k (c_n - a_n C)] / G². It is small from the start, as
    with all normalised losses, and exactly 0 where a_k < p_min.

    Args:
        p_min: (0, 1e-5], default 1e-7 as in the authors' code; later code has 1e-8. It is a
            parameter, not a guard: G contains K times its logarithm.

    Source: Ye et al., Active Negative Loss Functions (NeurIPS 2023).
    """

    p_min: Annotated[float, SMALLEST] = 1e-7

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        g = softmax.log_a - math.log(self.p_min)
        return missing_share(softmax, g.clamp(min=0), (g > 0).to(g.dtype))


@LOSSES.register("nnfl")
@dataclass(frozen=True)
class NormalizedNegativeFocalLoss(SoftmaxLoss):
    """L(z, k) = 1 - g_k / Σ_j g_j with g_j = f(p_min) - f(max(a_j, p_min)), a = softmax(z).

    f(p) = -(1 - p)^gamma log p. In [0, 1] and symmetric: Σ_k L = K - 1. With h_j = ∂g_j/∂log a_j,
    G = Σ_j g_j and H = Σ_j h_j, ∂L/∂z_n = -[h_k (1[n = k] - a_n) G - g_k (h_n - a_n H)] / G². It is
    small from the start, as with all normalised losses, and exactly 0 where a_k < p_min.

    Args:
        gamma: >= 0, default 0.5 as in the authors' configurations; 0 is `nnce`.
        focal_factors: as in `nfl`: `differentiated` (default), or `detached` as in every published
            code, h_j = (1 - a_j)^gamma.
        p_min: as in `nnce`.

    Source: Ye et al., Active Negative Loss Functions (NeurIPS 2023).
    """

    gamma: Annotated[float, Range(0)] = 0.5
    focal_factors: FocalFactors = "differentiated"
    p_min: Annotated[float, SMALLEST] = 1e-7

    @property
    def is_gradient_rule(self) -> bool:
        """Whether the gradient differs from the derivative of the value."""
        return self.focal_factors == "detached" and self.gamma > 0

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        log_least = math.log(self.p_min)
        largest = -((1 - self.p_min) ** self.gamma) * log_least
        log_a, missing = softmax.exact_log_a, softmax.missing
        counts = log_a > log_least
        factor = (missing**self.gamma).masked_fill_(~counts, 0.0)
        g = counts.to(log_a.dtype).mul_(largest).addcmul_(factor, log_a)
        if not self.is_gradient_rule:
            # log a / (1 - a) → -1 where a rounds to 1.
            ratio = (log_a / missing).masked_fill_(missing == 0, -1.0)
            factor = ratio.mul_(softmax.a).mul_(-self.gamma).add_(1).mul_(factor)
        return missing_share(softmax, g, factor)


@LOSSES.register("anl_ce", published=PUBLISHED_ANL_CE)
@dataclass(frozen=True)
class ActiveNegativeCrossEntropy(SoftmaxLoss):
    """L = alpha NCE + beta NNCE.

    In [0, alpha + beta] and symmetric: Σ_k L = alpha + beta (K - 1). The gradient is the weighted
    sum of the two. The published method adds delta Σ |θ| over all weights, biases and the
    parameters of normalisations included, in place of the usual weight decay: that is an option of
    the optimizer, not of this loss.

    Args:
        alpha: >= 0, default 5 (CIFAR-10; 10 for CIFAR-100, 1 for MNIST).
        beta: >= 0, default 5 (CIFAR-10; 1 for CIFAR-100 and MNIST).
        p_min: as in `nnce`.

    Source: Ye et al., Active Negative Loss Functions (NeurIPS 2023).
    """

    alpha: Annotated[float, Range(0)] = 5.0
    beta: Annotated[float, Range(0)] = 5.0
    p_min: Annotated[float, SMALLEST] = 1e-7

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        active = NormalizedCrossEntropy().term(softmax)
        negative = NormalizedNegativeCrossEntropy(self.p_min).term(softmax)
        return self.alpha * active + self.beta * negative


@LOSSES.register("anl_fl", published=PUBLISHED_ANL_FL)
@dataclass(frozen=True)
class ActiveNegativeFocalLoss(SoftmaxLoss):
    """L = alpha NFL + beta NNFL.

    In [0, alpha + beta] and symmetric: Σ_k L = alpha + beta (K - 1). The gradient is the weighted
    sum of the two. The published method adds an L1 penalty, as in `anl_ce`.

    Args:
        alpha: >= 0, default 5 (CIFAR-10; 10 for CIFAR-100, 1 for MNIST).
        beta: >= 0, default 5 (CIFAR-10; 1 for CIFAR-100 and MNIST).
        gamma: >= 0, default 0.5.
        focal_factors: as in `nnfl`, for both.
        p_min: as in `nnce`.

    Source: Ye et al., Active Negative Loss Functions (NeurIPS 2023).
    """

    alpha: Annotated[float, Range(0)] = 5.0
    beta: Annotated[float, Range(0)] = 5.0
    gamma: Annotated[float, Range(0)] = 0.5
    focal_factors: FocalFactors = "differentiated"
    p_min: Annotated[float, SMALLEST] = 1e-7

    @property
    def is_gradient_rule(self) -> bool:
        """Whether the gradient differs from the derivative of the value."""
        return NormalizedFocalLoss(self.gamma, self.focal_factors).is_gradient_rule

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        active = NormalizedFocalLoss(self.gamma, self.focal_factors).term(softmax)
        negative = NormalizedNegativeFocalLoss(self.gamma, self.focal_factors, self.p_min)
        return self.alpha * active + self.beta * negative.term(softmax)
