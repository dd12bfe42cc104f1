"""Asymmetric generalised cross-entropy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch

from trainables.losses import LOSSES
from trainables.losses.softmax import LabelledSoftmax, SoftmaxLoss, Term
from trainables.registry import Published, Range

PUBLISHED_AGCE = Published(
    "configurations of Zhou et al. (ICML 2021); webvision and clothing1m: Wang et al. (NeurIPS "
    "2024)",
    {
        "mnist": {"a": 4.0, "q": 0.2},
        "cifar10": {"a": 0.6, "q": 0.6},
        "cifar100": {"a": 0.6, "q": 0.6},
        "webvision": {"a": 1e-5, "q": 0.5},
        "clothing1m": {"a": 1e-5, "q": 0.5},
    },
)


@LOSSES.register("agce", published=PUBLISHED_AGCE)
@dataclass(frozen=True)
class AsymmetricGeneralizedCrossEntropy(SoftmaxLoss):
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

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        inside = self.a + softmax.a_k
        # (a + a_k)^q = (a + 1)^q (1 - rest / (a + 1))^q keeps the digits at a_k → 1.
        lost = -torch.expm1(self.q * torch.log1p(-softmax.rest / (self.a + 1)))
        return softmax.term(
            value=(self.a + 1) ** self.q / self.q * lost,
            slope=-softmax.a_k * inside ** (self.q - 1),
        )

    def sum_bounds(self, num_classes: int) -> tuple[float, float]:
        """Of Σ_k L(z, k): undecided and sure of one class, whichever is less."""

        def value(a_k: float) -> float:
            return float((self.a + 1) ** self.q - (self.a + a_k) ** self.q) / self.q

        undecided = num_classes * value(1 / num_classes)
        sure = (num_classes - 1) * value(0.0)
        return min(undecided, sure), max(undecided, sure)
