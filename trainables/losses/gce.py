"""Generalised cross-entropy L_q."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from trainables.losses import LOSSES
from trainables.losses.ce import labelled_log_probability
from trainables.registry import Range

if TYPE_CHECKING:
    from torch import Tensor


@LOSSES.register("gce")
@dataclass(frozen=True)
class GeneralizedCrossEntropy:
    """L(z, k) = (1 - a_k^q) / q with a = softmax(z): cross-entropy for q → 0, MAE / 2 for q = 1.

    Bounded by 1 / q; symmetric only for q = 1, else (K - K^(1-q)) / q <= Σ_k L <= (K - 1) / q.
    ∂L/∂z_n = a_k^q (a_n - 1[n = k]).

    Args:
        q: (0, 1], default 0.7 as published.

    Source: Zhang & Sabuncu, Generalized Cross Entropy Loss (NeurIPS 2018).
    """

    q: Annotated[float, Range(0, 1, low_open=True)] = 0.7

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """logits [N, K] of any float dtype, labels int64 [N] → [N]."""
        return -(self.q * labelled_log_probability(logits, labels)).expm1() / self.q
