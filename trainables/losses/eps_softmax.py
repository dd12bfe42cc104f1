"""ε-softmax: cross-entropy of outputs that lean towards the class the network prefers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

import torch

from trainables.losses import LOSSES
from trainables.losses.mae import MeanAbsoluteError
from trainables.losses.softmax import LabelledSoftmax, SoftmaxLoss, Term
from trainables.registry import Published, Range

PUBLISHED = Published(
    "configurations of Wang et al. (NeurIPS 2024); alpha follows the noise rate, and 0.00125 at "
    "cifar100-symmetric-0.6 may be a slip for 0.0125",
    {
        "cifar10-symmetric": {"alpha": 0.01, "beta": 5.0, "m": 1e5},
        "cifar10-asymmetric": {"alpha": 0.02, "beta": 5.0, "m": 1e3},
        "cifar10-instance": {"alpha": 0.045, "beta": 10.0, "m": 1e5},
        "cifar100-clean": {"alpha": 0.1, "beta": 1.0, "m": 1e4},
        "cifar100-symmetric-0.2": {"alpha": 0.05, "beta": 1.0, "m": 1e4},
        "cifar100-symmetric-0.4": {"alpha": 0.03, "beta": 1.0, "m": 1e4},
        "cifar100-symmetric-0.6": {"alpha": 0.00125, "beta": 1.0, "m": 1e4},
        "cifar100-symmetric-0.8": {"alpha": 0.0075, "beta": 1.0, "m": 1e4},
        "cifar100-asymmetric-0.1": {"alpha": 0.015, "beta": 1.0, "m": 1e2},
        "cifar100-asymmetric-0.2": {"alpha": 0.007, "beta": 1.0, "m": 1e2},
        "cifar100-asymmetric-0.3": {"alpha": 0.005, "beta": 1.0, "m": 1e2},
        "cifar100-asymmetric-0.4": {"alpha": 0.004, "beta": 1.0, "m": 1e2},
        "webvision": {"alpha": 0.015, "beta": 0.3, "m": 1e3},
        "clothing1m": {"alpha": 0.012, "beta": 0.1, "m": 1e3},
    },
)


@LOSSES.register("eps_ce")
@dataclass(frozen=True)
class EpsSoftmaxCrossEntropy(SoftmaxLoss):
    """L(z, k) = -log max(p_k, floor) with p = (a + m e_t) / (1 + m), t = argmax a, a = softmax(z).

    Bounded by -log floor, not symmetric, and it jumps by log((a_k + m) / a_k) where the label takes
    or loses the lead. ∂L/∂z_n = a_k / (a_k + m) (a_n - 1[n = k]) where the label leads, else
    a_n - 1[n = k], and 0 below the floor, a_k < (1 + m) floor. The floor is part of the method: at
    m = 1e5 it takes all labels with a_k < 0.001 out of training.

    Args:
        m: > 0, default 1e5 (CIFAR-10, symmetric noise); towards 0 it is cross-entropy.
        floor: (0, 1), default 1e-8 as in the authors' code.

    Source: Wang et al., ε-Softmax (NeurIPS 2024).
    """

    m: Annotated[float, Range(0, low_open=True)] = 1e5
    floor: Annotated[float, Range(0, 1, low_open=True, high_open=True)] = 1e-8

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        leads = softmax.top == softmax.index
        led = math.log1p(self.m) - softmax.log_a_k
        ceiling = -math.log(self.floor)
        value = torch.where(
            leads, -torch.log1p(softmax.rest / -(1 + self.m)), led.clamp(max=ceiling)
        )
        following = torch.where(led < ceiling, -1.0, 0.0)
        leading = -softmax.a_k / (softmax.a_k + self.m)
        return softmax.term(value, slope=torch.where(leads, leading, following))


@LOSSES.register("eps_ce_mae", published=PUBLISHED)
@dataclass(frozen=True)
class EpsSoftmaxCrossEntropyWithMeanAbsoluteError(SoftmaxLoss):
    """L = alpha CE_ε + beta MAE, with MAE = 2 (1 - a_k) as in the authors' code.

    Bounded by -alpha log floor + 2 beta; not symmetric. The gradient is the weighted sum of the
    two. The coefficient beta stands on 2 (1 - a_k), as in every loss here that names MAE.

    Args:
        alpha: >= 0, default 0.01 (CIFAR-10, symmetric noise); published per noise rate.
        beta: >= 0, default 5 (CIFAR-10; 1 for CIFAR-100).
        m, floor: as in `eps_ce`.

    Source: Wang et al., ε-Softmax (NeurIPS 2024).
    """

    alpha: Annotated[float, Range(0)] = 0.01
    beta: Annotated[float, Range(0)] = 5.0
    m: Annotated[float, Range(0, low_open=True)] = 1e5
    floor: Annotated[float, Range(0, 1, low_open=True, high_open=True)] = 1e-8

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        active = EpsSoftmaxCrossEntropy(self.m, self.floor).term(softmax)
        return self.alpha * active + self.beta * MeanAbsoluteError().term(softmax)
