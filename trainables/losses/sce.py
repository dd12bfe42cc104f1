"""Symmetric cross-entropy: cross-entropy plus its reverse."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from trainables.losses import LOSSES
from trainables.losses.softmax import labelled_log_probability, one_minus_exp
from trainables.registry import Range

if TYPE_CHECKING:
    from torch import Tensor


@LOSSES.register("sce")
@dataclass(frozen=True)
class SymmetricCrossEntropy:
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

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """logits [N, K] of any float dtype, labels int64 [N] → [N]."""
        log_a = labelled_log_probability(logits, labels)
        return -self.alpha * log_a - self.beta * self.log_zero * one_minus_exp(log_a)
