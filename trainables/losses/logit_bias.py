"""The logit bias ε: a constant on the labelled logit during training, dropped at test time.

Every loss L takes it as L(z + ε e_k, k). The gradient flows through the sum; marked `*` with a
constant ε and `**` with a cycle of values.

Source: Staats, Thamm & Rosenow (arXiv 2306.05497), sec. 3.2 and appendix A.2.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    """z + ε e_k: logits [..., K], labels int64 [...] → [..., K].

    Args:
        bias: ε, a number or a tensor that broadcasts against `labels` (a device scalar keeps a
            captured graph valid when ε changes).
    """
    import torch

    classes = torch.arange(logits.shape[-1], device=labels.device)
    is_labelled = (labels.unsqueeze(-1) == classes).to(logits.dtype)
    if isinstance(bias, torch.Tensor):
        bias = bias.to(logits.dtype).unsqueeze(-1)
    return logits + bias * is_labelled


def logit_bias_at(loss: Choice, epoch: int) -> float:
    """ε in a 1-based epoch: constant, or the cycle's value if `logit_bias` is a list."""
    cycle = _cycle(loss)
    return float(cycle[(epoch - 1) // loss.get("logit_bias_epochs", 11) % len(cycle)])


def has_logit_bias(loss: Choice) -> bool:
    """Whether ε differs from 0 in any epoch."""
    return any(_cycle(loss))


def _cycle(loss: Choice) -> Sequence[float]:
    """ε in turn; a constant is a cycle of one."""
    bias = loss.get("logit_bias", 0.0)
    return bias if isinstance(bias, list | tuple) else (bias,)
