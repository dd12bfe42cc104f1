"""Cross-entropy against other targets than the label: smoothed, or mixed with the output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch

from trainables.losses import LOSSES
from trainables.losses.softmax import LabelledSoftmax, SoftmaxLoss, Term
from trainables.registry import Range

WEIGHT = Range(0, 1, high_open=True)


@LOSSES.register("label_smoothing")
@dataclass(frozen=True)
class LabelSmoothing(SoftmaxLoss):
    """L(z, k) = -Σ_n t_n log a_n, t_n = (1 - smoothing) 1[n = k] + smoothing / K, a = softmax(z).

    Unbounded, also for labels that are learned; not symmetric.
    ∂L/∂z_n = a_n - t_n: a contradicted label keeps a gradient of size one, and a label is pushed
    down where a_k exceeds its target. The labelled class has a part in the uniform share. The
    entropy of the target, a constant that some code subtracts, is not.

    Args:
        smoothing: below 1, default 0.1; negative values are negative smoothing, for which the loss
            is not bounded below.

    Source: Szegedy et al., Rethinking the Inception Architecture (CVPR 2016); under label noise:
    Lukasik et al. (ICML 2020); negative: Wei et al. (ICML 2022).
    """

    may_push_label_down: ClassVar[bool] = True

    smoothing: Annotated[float, Range(high=1, high_open=True)] = 0.1

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        share = self.smoothing / softmax.a.shape[-1]
        # All but the labelled class, whose logarithm is known better.
        others = softmax.log_a.scatter(-1, softmax.index, 0.0).sum(dim=-1, keepdim=True)
        labelled = (1 - self.smoothing + share) * softmax.log_a_k
        gradient = (-share - softmax.error).scatter_(
            -1, softmax.index, self.smoothing - share - softmax.rest
        )
        return Term(-labelled - share * others, gradient)


@LOSSES.register("bootstrap_soft")
@dataclass(frozen=True)
class SoftBootstrap(SoftmaxLoss):
    """L(z, k) = -Σ_n [(1 - weight) 1[n = k] + weight a_n] log a_n with a = softmax(z).

    Cross-entropy and the entropy H of the output. Unbounded, not symmetric.
    ∂L/∂z_n = (1 - weight) (a_n - 1[n = k]) - weight a_n (log a_n + H): the target is
    differentiated too, since held fixed it would leave (1 - weight) times cross-entropy. A
    contradicted label keeps a gradient of size 1 - weight; with much weight an unlikely label may
    be pushed down.

    Args:
        weight: of the output, [0, 1), default 0.05 (the authors' β is 1 - weight).

    Source: Reed et al., Training Deep Neural Networks on Noisy Labels with Bootstrapping (ICLR 2015
    workshop, arXiv 1412.6596), eq. 6.
    """

    may_push_label_down: ClassVar[bool] = True

    weight: Annotated[float, WEIGHT] = 0.05

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        log_a = softmax.exact_log_a
        entropy = -torch.linalg.vecdot(softmax.a, log_a).unsqueeze(-1)
        label = 1 - self.weight
        spread = softmax.a * (log_a + entropy)
        return Term(
            -label * softmax.log_a_k + self.weight * entropy,
            -label * softmax.error - self.weight * spread,
        )


@LOSSES.register("bootstrap_hard")
@dataclass(frozen=True)
class HardBootstrap(SoftmaxLoss):
    """L(z, k) = -(1 - weight) log a_k - weight log a_t with t = argmax a, a = softmax(z).

    Unbounded, not symmetric. ∂L/∂z_n = a_n - (1 - weight) 1[n = k] - weight 1[n = t]: a
    contradicted label keeps a gradient of size 1 - weight. With a weight above 1/2 a label that
    nearly leads may be pushed down.

    Args:
        weight: of the class that leads, [0, 1), default 0.2 (the authors' β is 1 - weight).

    Source: Reed et al., Training Deep Neural Networks on Noisy Labels with Bootstrapping (ICLR 2015
    workshop, arXiv 1412.6596), eq. 7.
    """

    may_push_label_down: ClassVar[bool] = True

    weight: Annotated[float, WEIGHT] = 0.2

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        log_top, top = softmax.log_a.max(dim=-1, keepdim=True)
        # Nothing is moved from the label to itself: that would round 1 - a_k away.
        moved = torch.full_like(log_top, self.weight).masked_fill_(top == softmax.index, 0.0)
        value = -(1 - moved) * softmax.log_a_k - moved * log_top
        gradient = softmax.error.neg().scatter_add_(-1, softmax.index, moved)
        return Term(value, gradient.scatter_add_(-1, top, -moved))
