"""Generalised cross-entropy L_q, plain and truncated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import torch

from trainables.losses import LOSSES
from trainables.losses.softmax import LabelledSoftmax, SoftmaxLoss, Term
from trainables.registry import Published, Range

if TYPE_CHECKING:
    from torch import Tensor


PUBLISHED_GCE = Published(
    "Zhang & Sabuncu (NeurIPS 2018) and the configurations of Ma et al. (ICML 2020); clothing1m: "
    "Wang et al. (NeurIPS 2024)",
    {
        **{name: {"q": 0.7} for name in ("mnist", "cifar10", "cifar100", "webvision")},
        "clothing1m": {"q": 0.6},
    },
)


@LOSSES.register("gce", published=PUBLISHED_GCE)
@dataclass(frozen=True)
class GeneralizedCrossEntropy(SoftmaxLoss):
    """L(z, k) = (1 - a_k^q) / q with a = softmax(z): cross-entropy for q → 0, MAE / 2 for q = 1.

    Bounded by 1 / q; symmetric only for q = 1, else (K - K^(1-q)) / q <= Σ_k L <= (K - 1) / q.
    ∂L/∂z_n = a_k^q (a_n - 1[n = k]), which vanishes where the network contradicts the label.

    Args:
        q: (0, 1], default 0.7 as published.

    Source: Zhang & Sabuncu, Generalized Cross Entropy Loss (NeurIPS 2018).
    """

    q: Annotated[float, Range(0, 1, low_open=True)] = 0.7

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        exponent = self.q * softmax.log_a_k
        return softmax.term(value=-torch.expm1(exponent) / self.q, slope=-torch.exp(exponent))

    def sum_bounds(self, num_classes: int) -> tuple[float, float]:
        """Of Σ_k L(z, k): undecided, and sure of one class."""
        undecided = (num_classes - num_classes ** (1 - self.q)) / self.q
        return undecided, (num_classes - 1) / self.q


@LOSSES.register("tgce")
@dataclass(frozen=True)
class TruncatedGeneralizedCrossEntropy(SoftmaxLoss):
    """L(z, k) = L_q(a_k) if a_k > threshold, else the constant L_q(threshold).

    Bounded by L_q(threshold), not symmetric. ∂L/∂z_n as L_q where a_k > threshold, else 0: a
    network that starts from scratch gets no gradient at all from it. It is therefore trained by
    turns (see `PruningLoss`): with L_q on the samples that are kept, where a pruning pass keeps
    exactly those with a_k > threshold. Before the first pass all samples are kept.

    Args:
        q: (0, 1], default 0.7.
        threshold: (0, 1), the published k, default 0.5.
        start_prune: first epoch (1-based) that a pruning pass may precede, default 40 as published
            for CIFAR-10 (80 for CIFAR-100).
        prune_every: passes precede the epochs that this divides, default 10.

    Source: Zhang & Sabuncu, Generalized Cross Entropy Loss (NeurIPS 2018), truncated L_q; the
    schedule is that of a public reimplementation that states the paper's hyperparameters.
    """

    q: Annotated[float, Range(0, 1, low_open=True)] = 0.7
    threshold: Annotated[float, Range(0, 1, low_open=True, high_open=True)] = 0.5
    start_prune: Annotated[int, Range(1)] = 40
    prune_every: Annotated[int, Range(1)] = 10

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        exponent = self.q * softmax.log_a_k.clamp(min=math.log(self.threshold))
        slope = torch.where(softmax.a_k > self.threshold, -torch.exp(exponent), 0.0)
        return softmax.term(value=-torch.expm1(exponent) / self.q, slope=slope)

    @property
    def kept_loss(self) -> GeneralizedCrossEntropy:
        """The loss of a sample that is kept: L_q, not truncated."""
        return GeneralizedCrossEntropy(self.q)

    def keeps(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Which samples stay: a_k > threshold. logits [N, K], labels int64 [N] → bool [N]."""
        a_k = logits.softmax(dim=-1).gather(-1, labels.unsqueeze(-1)).squeeze(-1)
        return a_k > self.threshold

    def prunes_after(self, epoch: int) -> bool:
        """Whether a pruning pass follows `epoch` finished epochs, so that it decides the next."""
        return epoch + 1 >= self.start_prune and (epoch + 1) % self.prune_every == 0
