"""Asymmetric unhinged and asymmetric exponential loss; the third of their kind is in `agce`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import torch

from trainables.losses import LOSSES
from trainables.losses.softmax import LabelledSoftmax, SoftmaxLoss, Term
from trainables.registry import Published, Range

CONFIGURATIONS = "configurations of Zhou et al. (ICML 2021) and Wang et al. (NeurIPS 2024)"

PUBLISHED_AUL = Published(
    CONFIGURATIONS,
    {
        "mnist": {"a": 3.0, "q": 0.1},
        "cifar10": {"a": 5.5, "q": 3.0},
        "cifar100": {"a": 5.5, "q": 3.0},
    },
)

PUBLISHED_AEL = Published(
    CONFIGURATIONS, {"mnist": {"a": 3.5}, "cifar10": {"a": 2.5}, "cifar100": {"a": 2.5}}
)


@LOSSES.register("aul", published=PUBLISHED_AUL)
@dataclass(frozen=True)
class AsymmetricUnhingedLoss(SoftmaxLoss):
    """L(z, k) = ((a - a_k)^q - (a - 1)^q) / q with a_k the labelled softmax output.

    Bounded by B = (a^q - (a - 1)^q) / q; symmetric only for q = 1, where it is MAE / 2; for q > 1
    Σ_k L is largest, (K - 1) B, at a certain network, for q < 1 least.
    ∂L/∂z_n = a_k (a - a_k)^(q-1) (a_n - 1[n = k]), which vanishes where the network contradicts the
    label. The coefficient of a combination stands on this value, whose slope in 1 - a_k is
    (a - a_k)^(q-1).

    Args:
        a: > 1, default 5.5 (CIFAR-10 and CIFAR-100; 3 for MNIST).
        q: > 0, default 3 (CIFAR-10 and CIFAR-100; 0.1 for MNIST).

    Source: Zhou et al., Asymmetric Loss Functions (ICML 2021, arXiv 2106.03110).
    """

    a: Annotated[float, Range(1, low_open=True)] = 5.5
    q: Annotated[float, Range(0, low_open=True)] = 3.0

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        least = self.a - 1
        # (a - a_k)^q = (a - 1)^q (1 + rest / (a - 1))^q keeps the digits at a_k → 1.
        growth = self.q * torch.log1p(softmax.rest / least)
        slope = softmax.a_k * (least + softmax.rest) ** (self.q - 1)
        return softmax.term(value=least**self.q / self.q * torch.expm1(growth), slope=-slope)


@LOSSES.register("ael", published=PUBLISHED_AEL)
@dataclass(frozen=True)
class AsymmetricExponentialLoss(SoftmaxLoss):
    """L(z, k) = exp(-a_k / a) with a_k the labelled softmax output.

    In [exp(-1/a), 1], so it does not go to 0; not symmetric, but
    K exp(-1/(a K)) <= Σ_k L <= K - 1 + exp(-1/a).
    ∂L/∂z_n = a_k exp(-a_k / a) / a (a_n - 1[n = k]), which vanishes where the network contradicts
    the label. For large a it tends to 1 - a_k / a: the coefficient of a combination stands on about
    (1 - a_k) / a.

    Args:
        a: > 0, default 2.5 (CIFAR-10 and CIFAR-100; 3.5 for MNIST).

    Source: Zhou et al., Asymmetric Loss Functions (ICML 2021, arXiv 2106.03110).
    """

    a: Annotated[float, Range(0, low_open=True)] = 2.5

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        value = torch.exp(softmax.a_k / -self.a)
        return softmax.term(value=value, slope=-softmax.a_k * value / self.a)
