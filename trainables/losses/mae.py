"""Mean absolute error on probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainables.losses import LOSSES
from trainables.losses.softmax import labelled_log_probability, one_minus_exp

if TYPE_CHECKING:
    from torch import Tensor


@LOSSES.register("mae")
@dataclass(frozen=True)
class MeanAbsoluteError:
    """L(z, k) = Σ_n |a_n - 1[n = k]| = 2 (1 - a_k) with a = softmax(z).

    Bounded by 2 and symmetric: Σ_k L(z, k) = 2 (K - 1). ∂L/∂z_n = 2 a_k (a_n - 1[n = k]): the
    gradient vanishes with a_k, which makes it robust, and slow to start with many classes.

    Source: Wang et al., IMAE (arXiv 1903.12141), eq. 3, 16-18; Zhang & Sabuncu 2018. Some
    repositories drop the factor 2; a learning rate there is half of one here.
    """

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """logits [N, K] of any float dtype, labels int64 [N] → [N]."""
        return 2 * one_minus_exp(labelled_log_probability(logits, labels))
