"""Reverse cross-entropy, and symmetric cross-entropy: cross-entropy plus its reverse."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from trainables.losses import LOSSES
from trainables.losses.softmax import LabelledSoftmax, SoftmaxLoss, Term
from trainables.registry import Published, Range

PUBLISHED_SCE = Published(
    "configurations of Ma et al. (ICML 2020), Ye et al. (NeurIPS 2023) and Wang et al. (NeurIPS "
    "2024); Zhou et al. (ICML 2021) run alpha = beta = 1 everywhere",
    {
        "mnist": {"alpha": 0.01, "beta": 1.0},
        "cifar10": {"alpha": 0.1, "beta": 1.0},
        "cifar100": {"alpha": 6.0, "beta": 0.1},
        "webvision": {"alpha": 10.0, "beta": 1.0},
        "clothing1m": {"alpha": 10.0, "beta": 1.0},
    },
)


@LOSSES.register("rce")
@dataclass(frozen=True)
class ReverseCrossEntropy(SoftmaxLoss):
    """L(z, k) = -Σ_n a_n log y_n = -A (1 - a_k), with y one-hot, log 0 := A and a = softmax(z).

    Bounded by -A and symmetric: Σ_k L = -A (K - 1). It is MAE times -A / 2.
    ∂L/∂z_n = -A a_k (a_n - 1[n = k]), which vanishes where the network contradicts the label. The
    coefficient -A = 9.2103 stands on 1 - a_k, not on 2 (1 - a_k).

    Args:
        log_zero: A < 0, default ln 1e-4 = -9.2103 as in the code of its authors and of those who
            combine it with NCE and NFL.

    Source: Wang et al., Symmetric Cross Entropy (ICCV 2019), as a loss of its own in Ma et al.,
    Normalized Loss Functions (ICML 2020).
    """

    log_zero: Annotated[float, Range(high=0, high_open=True)] = math.log(1e-4)

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        return softmax.term(value=-self.log_zero * softmax.rest, slope=self.log_zero * softmax.a_k)


@LOSSES.register("sce", published=PUBLISHED_SCE)
@dataclass(frozen=True)
class SymmetricCrossEntropy(SoftmaxLoss):
    """L(z, k) = alpha CE + beta RCE, with RCE = -Σ_n a_n log y_n = -A (1 - a_k), log 0 := A.

    Unbounded through CE (RCE alone is bounded by -A and symmetric); symmetric only for alpha = 0,
    whatever its name says. ∂L/∂z_n = (alpha - beta A a_k)(a_n - 1[n = k]): a contradicted label
    keeps a gradient of size alpha.

    Args:
        alpha: >= 0, default 0.1 (CIFAR-10; 6 for CIFAR-100, 0.01 for MNIST).
        beta: >= 0, default 1 (CIFAR-10; 0.1 for CIFAR-100, 1 for MNIST).
        log_zero: A < 0, default ln 1e-4 = -9.2103 as in the authors' code.

    Source: Wang et al., Symmetric Cross Entropy (ICCV 2019). The constant A is part of the
    definition; the authors' second clamp, of a at 1e-7, only guards their logarithm and is not.
    """

    alpha: Annotated[float, Range(0)] = 0.1
    beta: Annotated[float, Range(0)] = 1.0
    log_zero: Annotated[float, Range(high=0, high_open=True)] = math.log(1e-4)

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        reverse = -self.beta * self.log_zero
        return softmax.term(
            value=-self.alpha * softmax.log_a_k + reverse * softmax.rest,
            slope=-(self.alpha + reverse * softmax.a_k),
        )
