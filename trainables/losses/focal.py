"""Focal loss: cross-entropy with less weight on what is learned already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch

from trainables.losses import LOSSES
from trainables.losses.normalized import FIXED_FACTORS, FocalFactors
from trainables.losses.softmax import LabelledSoftmax, SoftmaxLoss, Term
from trainables.registry import Published, Range

PUBLISHED_FOCAL = Published(
    "configurations of Ma et al. (ICML 2020) and their descendants, which hold the factors fixed",
    dict.fromkeys(("mnist", "cifar10", "cifar100", "webvision", "clothing1m"), FIXED_FACTORS),
)


@LOSSES.register("focal", published=PUBLISHED_FOCAL)
@dataclass(frozen=True)
class FocalLoss(SoftmaxLoss):
    """L(z, k) = -(1 - a_k)^gamma log a_k with a = softmax(z).

    Unbounded, not symmetric. ∂L/∂z_n = w (a_n - 1[n = k]) with
    w = (1 - a_k)^gamma - gamma a_k (1 - a_k)^(gamma-1) log a_k: a contradicted label keeps a
    gradient of size one.

    Args:
        gamma: >= 0, default 0.5 as in the configurations of the robust-loss papers, where the
            authors of the loss take 2 for detection; 0 is cross-entropy.
        focal_factors: `differentiated` (default) takes the derivative of the formula. `detached`
            treats (1 - a_k)^gamma as a constant, w = (1 - a_k)^gamma, as the code of the
            robust-loss papers does; the gradient is then not that of the value.

    Source: Lin et al., Focal Loss for Dense Object Detection (ICCV 2017, arXiv 1708.02002), eq. 4.
    """

    gamma: Annotated[float, Range(0)] = 0.5
    focal_factors: FocalFactors = "differentiated"

    @property
    def is_gradient_rule(self) -> bool:
        """Whether the gradient differs from the derivative of the value."""
        return self.focal_factors == "detached" and self.gamma > 0

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        factor = softmax.rest**self.gamma
        value = -factor * softmax.log_a_k
        if self.is_gradient_rule:
            return softmax.term(value, -factor)
        # log a / (1 - a) → -1 where a rounds to 1.
        ratio = torch.where(softmax.rest > 0, softmax.log_a_k / softmax.rest, -1.0)
        return softmax.term(value, -factor * (1 - self.gamma * softmax.a_k * ratio))
