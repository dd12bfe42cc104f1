"""Cross-entropy, the reference every robust loss is measured against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainables.losses import LOSSES
from trainables.losses.softmax import labelled_log_probability

if TYPE_CHECKING:
    from torch import Tensor


@LOSSES.register("ce")
@dataclass(frozen=True)
class CrossEntropy:
    """L(z, k) = -log a_k with a = softmax(z).

    Unbounded, not symmetric. ∂L/∂z_n = a_n - 1[n = k]: a wrongly labelled sample keeps a gradient
    of size one, which is why it is learned in the end.

    Source: Wang et al., IMAE (arXiv 1903.12141), eq. 13-15.
    """

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """logits [N, K] of any float dtype, labels int64 [N] → [N]."""
        return -labelled_log_probability(logits, labels)
