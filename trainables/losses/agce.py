"""Asymmetric generalised cross-entropy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from trainables.losses import LOSSES
from trainables.losses.softmax import labelled_log_probability, one_minus_exp
from trainables.registry import Range

if TYPE_CHECKING:
    from torch import Tensor


@LOSSES.register("agce")
@dataclass(frozen=True)
class AsymmetricGeneralizedCrossEntropy:
    """L(z, k) = ((a + 1)^q - (a + a_k)^q) / q with a_k the labelled softmax output.

    Bounded by ((a + 1)^q - a^q) / q; symmetric only for q = 1, where it is MAE / 2.
    ∂L/∂z_n = a_k (a + a_k)^(q-1) (a_n - 1[n = k]), which vanishes where the network contradicts
    the label.

    Args:
        a: > 0, default 0.6 (CIFAR-10 and CIFAR-100; 4 for MNIST).
        q: > 0, default 0.6 (CIFAR-10 and CIFAR-100; 0.2 for MNIST).

    Source: Zhou et al., Asymmetric Loss Functions (ICML 2021).
    """

    a: Annotated[float, Range(0, low_open=True)] = 0.6
    q: Annotated[float, Range(0, low_open=True)] = 0.6

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """logits [N, K] of any float dtype, labels int64 [N] → [N]."""
        missing = one_minus_exp(labelled_log_probability(logits, labels))
        # (a + a_k)^q = (a + 1)^q e^(q log(1 - missing / (a + 1))) keeps the digits at a_k → 1.
        exponent = self.q * (-missing / (self.a + 1)).log1p()
        scale: float = (self.a + 1) ** self.q / self.q
        return scale * one_minus_exp(exponent)
