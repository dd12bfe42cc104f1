"""The logit bias ε: a constant on the labelled logit during training, dropped at test time.

Every loss L takes it as L(z + ε e_k, k). The gradient flows through the sum; marked `*` with a
constant ε and `**` with a cycle of values.

Source: Staats, Thamm & Rosenow (arXiv 2306.05497), sec. 3.2 and appendix A.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainables.config import Choice

if TYPE_CHECKING:
    from torch import Tensor

    from trainables.losses import Loss


@dataclass(frozen=True)
class BiasedLoss:
    """`loss` evaluated with ε added to the labelled logit."""

    loss: Loss
    bias: float

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """logits [N, K], labels int64 [N] → [N]."""
        return self.loss(add_logit_bias(logits, labels, self.bias), labels)


def add_logit_bias(logits: Tensor, labels: Tensor, bias: float | Tensor) -> Tensor:
    """z + ε e_k: logits [N, K], labels int64 [N], bias a number or one-element tensor → [N, K]."""
    from torch.nn.functional import one_hot

    return logits + bias * one_hot(labels, logits.shape[-1]).to(logits.dtype)


def logit_bias_at(loss: Choice, epoch: int) -> float:
    """ε in a 1-based epoch: constant, or the cycle's value if `logit_bias` is a list."""
    bias = loss.get("logit_bias", 0.0)
    if isinstance(bias, list | tuple):
        return float(bias[(epoch - 1) // loss.get("logit_bias_epochs", 11) % len(bias)])
    return float(bias)
