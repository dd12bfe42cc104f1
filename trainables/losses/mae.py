"""Mean absolute error on probabilities."""

from __future__ import annotations

from dataclasses import dataclass

from trainables.losses import LOSSES
from trainables.losses.softmax import LabelledSoftmax, SoftmaxLoss, Term


@LOSSES.register("mae")
@dataclass(frozen=True)
class MeanAbsoluteError(SoftmaxLoss):
    """L(z, k) = Σ_n |a_n - 1[n = k]| = 2 (1 - a_k) with a = softmax(z).

    Bounded by 2 and symmetric: Σ_k L(z, k) = 2 (K - 1). ∂L/∂z_n = 2 a_k (a_n - 1[n = k]): the
    gradient vanishes with a_k, which makes it robust, and slow to start with many classes.

    Source: Wang et al., IMAE (arXiv 1903.12141), eq. 3, 16-18; Zhang & Sabuncu 2018. Some
    repositories drop the factor 2; a learning rate there is half of one here.
    """

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        return softmax.term(value=2 * softmax.rest, slope=-2 * softmax.a_k)

    def sum_bounds(self, num_classes: int) -> tuple[float, float]:
        """Of Σ_k L(z, k): one number."""
        return 2.0 * (num_classes - 1), 2.0 * (num_classes - 1)
