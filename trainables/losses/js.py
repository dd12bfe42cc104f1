"""Jensen-Shannon divergence between the label and the network's output."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch

from trainables.losses import LOSSES
from trainables.losses.softmax import LabelledSoftmax, SoftmaxLoss, Term
from trainables.registry import Published, Range

PUBLISHED_JS = Published(
    "scripts of Englesson and Azizpour (NeurIPS 2021), chosen per noise rate on validation data",
    {
        "cifar10-clean": {"pi1": 0.1},
        "cifar10-symmetric-0.2": {"pi1": 0.7},
        "cifar10-symmetric-0.4": {"pi1": 0.7},
        "cifar10-symmetric-0.6": {"pi1": 0.9},
        "cifar10-symmetric-0.8": {"pi1": 0.9},
        "cifar10-asymmetric": {"pi1": 0.3},
        "cifar100-clean": {"pi1": 0.1},
        "cifar100-symmetric-0.2": {"pi1": 0.1},
        "cifar100-symmetric-0.4": {"pi1": 0.3},
        "cifar100-symmetric-0.6": {"pi1": 0.5},
        "cifar100-symmetric-0.8": {"pi1": 0.3},
        "cifar100-asymmetric": {"pi1": 0.5},
        "webvision": {"pi1": 0.1},
    },
)


@LOSSES.register("js", published=PUBLISHED_JS)
@dataclass(frozen=True)
class JensenShannon(SoftmaxLoss):
    """L(z, k) = [pi1 KL(y ‖ m) + pi2 KL(a ‖ m)] / Z, m = pi1 y + pi2 a, Z = -pi2 log pi2.

    a = softmax(z), y the one-hot label, pi2 = 1 - pi1. With p = a_k and m_k = pi1 + pi2 p this is
    [-pi1 log m_k + pi2 (p log(p / m_k) - (1 - p) log pi2)] / Z. Bounded by
    1 + pi1 log pi1 / (pi2 log pi2); not symmetric, but Z scales it between cross-entropy (pi1 → 0)
    and 1 - p, MAE / 2 (pi1 → 1). ∂L/∂z_n = w (a_n - 1[n = k]) with
    w = p log(pi2 p / m_k) / log pi2, which is 1 at p = 1 and vanishes where the network contradicts
    the label. The generalised form takes two views of an image and is not this loss.

    Args:
        pi1: weight of the label, (0, 1), default 0.5; published per noise rate.

    Source: Englesson and Azizpour, Generalized Jensen-Shannon Divergence Loss (NeurIPS 2021, arXiv
    2105.04522), in the scaled form that they run on CIFAR.
    """

    pi1: Annotated[float, Range(0, 1, low_open=True, high_open=True)] = 0.5

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        p, rest, pi2 = softmax.a_k, softmax.rest, 1 - self.pi1
        log_pi2 = math.log1p(-self.pi1)
        m = self.pi1 + pi2 * p
        log_m = torch.where(rest < 0.5, torch.log1p(-pi2 * rest), m.log())
        # p / m_k = 1 - pi1 rest / m_k keeps the digits where the two are close.
        lost = self.pi1 * rest / m
        log_ratio = torch.where(lost < 0.5, torch.log1p(-lost), softmax.log_a_k - log_m)
        value = -self.pi1 * log_m + pi2 * (p * log_ratio - rest * log_pi2)
        slope = -p * (log_pi2 + log_ratio) / log_pi2
        return softmax.term(value / (-pi2 * log_pi2), slope)
