"""Cross-entropy cut off after some terms of its Taylor series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch

from trainables.losses import LOSSES
from trainables.losses.softmax import LabelledSoftmax, SoftmaxLoss, Term
from trainables.registry import Range


@LOSSES.register("taylor_ce")
@dataclass(frozen=True)
class TaylorCrossEntropy(SoftmaxLoss):
    """L(z, k) = Σ_{i=1..order} (1 - a_k)^i / i with a = softmax(z).

    The first terms of -log a_k around a_k = 1. Bounded by 1 + 1/2 + … + 1/order; symmetric only for
    order = 1, where it is 1 - a_k, MAE / 2; without end it is cross-entropy.
    ∂L/∂z_n = (1 - (1 - a_k)^order) (a_n - 1[n = k]), which vanishes where the network contradicts
    the label, as order · a_k.

    Args:
        order: >= 1, default 18: the only value at hand, a command-line default of a published
            implementation for CIFAR-100.

    Source: Feng et al., Can Cross Entropy Loss Be Robust to Label Noise? (IJCAI 2020).
    """

    order: Annotated[int, Range(1)] = 18

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        rest = softmax.rest
        orders = torch.arange(1, self.order + 1, dtype=rest.dtype, device=rest.device)
        powers = rest.expand(*rest.shape[:-1], self.order).cumprod(dim=-1)
        value = (powers / orders).sum(dim=-1, keepdim=True)
        return softmax.term(value, slope=torch.expm1(self.order * torch.log1p(-softmax.a_k)))
