"""Cross-entropy, the reference every robust loss is measured against."""

from __future__ import annotations

from dataclasses import dataclass

from trainables.losses import LOSSES
from trainables.losses.softmax import LabelledSoftmax, SoftmaxLoss, Term


@LOSSES.register("ce")
@dataclass(frozen=True)
class CrossEntropy(SoftmaxLoss):
    """L(z, k) = -log a_k with a = softmax(z).

    Unbounded, not symmetric. ∂L/∂z_n = a_n - 1[n = k]: a wrongly labelled sample keeps a gradient
    of size one, which is why it is learned in the end.

    Source: Wang et al., IMAE (arXiv 1903.12141), eq. 13-15.
    """

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        return softmax.term(value=-softmax.log_a_k, slope=-1.0)
