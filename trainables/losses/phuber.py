"""Partially Huberised losses: linear where the network contradicts the label, else as they were."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch

from trainables.losses import LOSSES
from trainables.losses.softmax import LabelledSoftmax, SoftmaxLoss, Term
from trainables.registry import Published, Range

RUNS = "independent runs of Menon et al. (ICLR 2020), dmizr/phuber, README"

PUBLISHED_PHUBER_CE = Published(
    RUNS, {"mnist": {"tau": 10.0}, "cifar10": {"tau": 2.0}, "cifar100": {"tau": 10.0}}
)

PUBLISHED_PHUBER_GCE = Published(
    RUNS, {name: {"tau": 10.0, "q": 0.7} for name in ("mnist", "cifar10", "cifar100")}
)


@LOSSES.register("phuber_ce", published=PUBLISHED_PHUBER_CE)
@dataclass(frozen=True)
class PartiallyHuberizedCrossEntropy(SoftmaxLoss):
    """L(z, k) = -log a_k if a_k > 1/tau, else 1 + log tau - tau a_k, with a = softmax(z).

    Bounded by 1 + log tau; not symmetric. ∂L/∂z_n = min(1, tau a_k) (a_n - 1[n = k]), which
    vanishes where the network contradicts the label. The linear part has the coefficient tau on
    1 - a_k: up to a_k = 1/2, tau = 2 is MAE and a constant.

    Args:
        tau: > 1, default 2 (CIFAR-10; 10 for MNIST and CIFAR-100).

    Source: Menon et al., Can Gradient Clipping Mitigate Label Noise? (ICLR 2020).
    """

    tau: Annotated[float, Range(1, low_open=True)] = 2.0

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        steep = self.tau * softmax.a_k
        linear = 1 + math.log(self.tau) - steep
        value = torch.where(steep > 1, -softmax.log_a_k, linear)
        return softmax.term(value, slope=-steep.clamp(max=1))


@LOSSES.register("phuber_gce", published=PUBLISHED_PHUBER_GCE)
@dataclass(frozen=True)
class PartiallyHuberizedGeneralizedCrossEntropy(SoftmaxLoss):
    """L(z, k) = (1 - a_k^q) / q if a_k > p, else tau (p - a_k) + (1 - p^q) / q; p = tau^(1/(q-1)).

    a = softmax(z). Bounded by tau p + (1 - p^q) / q; not symmetric.
    ∂L/∂z_n = min(a_k^q, tau a_k) (a_n - 1[n = k]), which vanishes where the network contradicts the
    label. The linear part has the coefficient tau on 1 - a_k; at tau = 10, q = 0.7 it begins as low
    as p = 0.00046.

    Args:
        tau: > 1, default 10.
        q: (0, 1), default 0.7.

    Source: Menon et al., Can Gradient Clipping Mitigate Label Noise? (ICLR 2020).
    """

    tau: Annotated[float, Range(1, low_open=True)] = 10.0
    q: Annotated[float, Range(0, 1, low_open=True, high_open=True)] = 0.7

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        edge = self.tau ** (1 / (self.q - 1))
        exponent = self.q * softmax.log_a_k
        steep = self.tau * softmax.a_k
        linear = self.tau * edge + (1 - edge**self.q) / self.q - steep
        value = torch.where(softmax.a_k > edge, -torch.expm1(exponent) / self.q, linear)
        return softmax.term(value, slope=-torch.minimum(torch.exp(exponent), steep))
