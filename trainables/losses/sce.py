"""Symmetric cross-entropy: cross-entropy plus its reverse."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from trainables.losses import LOSSES
from trainables.losses.softmax import LabelledSoftmax, SoftmaxLoss, Term
from trainables.registry import Range


@LOSSES.register("sce")
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
