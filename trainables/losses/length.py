"""Losses of logits whose length ‖z‖ is cut or fixed: clipped logits and sparse regularisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import torch

from trainables.losses import LOSSES
from trainables.losses.ce import CrossEntropy
from trainables.losses.gce import GeneralizedCrossEntropy
from trainables.losses.gradient import at_least_float32, with_gradient
from trainables.losses.softmax import LabelledSoftmax, SoftmaxLoss, Term
from trainables.registry import Published, Range

if TYPE_CHECKING:
    from torch import Tensor

_AS_CODED = {"threshold": "reciprocal"}

PUBLISHED_LOGIT_CLIP = Published(
    "configurations of Wang et al. (NeurIPS 2024) with cross-entropy, whose code cuts what is "
    "longer than 1 / delta to the length delta",
    {
        "cifar10-symmetric-0.2": {"delta": 1.0, **_AS_CODED},
        "cifar10-symmetric-0.4": {"delta": 1.0, **_AS_CODED},
        "cifar10-symmetric-0.6": {"delta": 1.5, **_AS_CODED},
        "cifar10-symmetric-0.8": {"delta": 1.5, **_AS_CODED},
        "cifar10-asymmetric": {"delta": 2.5, **_AS_CODED},
        "cifar10-human": {"delta": 2.5, **_AS_CODED},
        "cifar10-instance": {"delta": 2.0, **_AS_CODED},
        "cifar100-symmetric": {"delta": 0.5, **_AS_CODED},
        "cifar100-asymmetric": {"delta": 2.5, **_AS_CODED},
        "webvision": {"delta": 1.2, **_AS_CODED},
    },
)

BASE = Range(0, 1)
"""Of q: 0 is cross-entropy, above it generalised cross-entropy."""


@LOSSES.register("logit_clip", published=PUBLISHED_LOGIT_CLIP)
@dataclass(frozen=True)
class LogitClip:
    """L(z, k) = base(z', k) with z' = delta z / ‖z‖ where ‖z‖ is above the threshold, else z' = z.

    ‖z‖ is the Euclidean length over the classes. As ‖z'‖ is bounded, so is the loss: cross-entropy
    by log K + 2 delta where the threshold is no more than delta. Not symmetric; a shift of the
    logits changes it. With g = ∂base/∂z' and e = z / ‖z‖, ∂L/∂z = g where nothing is cut, else
    (delta / ‖z‖) (g - e Σ_n e_n g_n), which vanishes as one over the length of the logits and may
    push the label down. The test loss is clipped too; accuracies do not depend on the length.

    Args:
        delta: > 0, default 1: the length that is left.
        threshold: `delta` (default) cuts what is longer than delta, the idea of the paper.
            `reciprocal` cuts what is longer than 1 / delta to the length delta, as published code
            does: delta = 2.5 stretches logits of length 0.5 to 2.5. Equal only at delta = 1. The
            authors' --temp is 1 / delta of this form.
        q: of the base, [0, 1]: 0 (default) for cross-entropy, else generalised cross-entropy.

    Source: Wei et al., Mitigating Memorization of Noisy Labels by Clipping the Model Prediction
    (ICML 2023, arXiv 2212.04055).
    """

    sees_logit_size: ClassVar[bool] = True
    may_push_label_down: ClassVar[bool] = True

    delta: Annotated[float, Range(0, low_open=True)] = 1.0
    threshold: Literal["delta", "reciprocal"] = "delta"
    q: Annotated[float, BASE] = 0.0

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """logits [N, K] of any float dtype, labels int64 [N] → [N]."""
        z = at_least_float32(logits)
        unit, length = _unit(z)
        longest = self.delta if self.threshold == "delta" else 1 / self.delta
        is_cut = length > longest
        term = _base(self.q).term(_softmax(torch.where(is_cut, self.delta * unit, z), labels))
        across = _across(term.gradient, unit) * (self.delta / length)
        gradient = torch.where(is_cut, across, term.gradient)
        return with_gradient(logits, term.value.squeeze(-1), gradient)


@LOSSES.register("sr")
@dataclass(frozen=True)
class SparseRegularization:
    """L(z, k) = base(z', k) + weight Σ_j p_j^s, z' = z / (tau ‖z‖), p = softmax(z').

    ‖z‖ is the Euclidean length over the classes. Bounded, cross-entropy by log K + 2 / tau, since
    logits of a fixed length cannot be certain; the second term lies between weight and
    weight K^(1-s). Not symmetric; a shift of the logits changes it. With
    g_n = ∂base/∂z'_n + weight s (p_n^s - p_n Σ_j p_j^s) and e = z / ‖z‖,
    ∂L/∂z = (g - e Σ_n e_n g_n) / (tau ‖z‖), which vanishes as one over the length of the logits and
    may push the label down. Accuracies are those of z: the argmax is the same.

    The published method multiplies the weight after every few epochs (CIFAR-10: 1.2 at first, times
    1.03 an epoch; CIFAR-100: 4 or 10, times 1.02; MNIST: 4, doubled every fifth). A loss does not
    know the epoch: here the weight is constant, and no published defaults are offered.

    Args:
        tau: > 0, default 0.5 (CIFAR-10 and CIFAR-100; 0.1 for MNIST).
        s: (0, 1], default 0.1 (CIFAR-10 and MNIST; 0.01 for CIFAR-100).
        weight: >= 0, default 1.2.
        q: of the base, [0, 1]: 0 (default) for cross-entropy, else generalised cross-entropy.
        normalize: whether logits are divided by their length; not so for MNIST, and then the loss
            is unbounded.

    Source: Zhou et al., Learning with Noisy Labels via Sparse Regularization (ICCV 2021, arXiv
    2108.00192).
    """

    may_push_label_down: ClassVar[bool] = True

    tau: Annotated[float, Range(0, low_open=True)] = 0.5
    s: Annotated[float, Range(0, 1, low_open=True)] = 0.1
    weight: Annotated[float, Range(0)] = 1.2
    q: Annotated[float, BASE] = 0.0
    normalize: bool = True

    @property
    def sees_logit_size(self) -> bool:
        """Whether a shift of all logits changes the loss."""
        return self.normalize

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """logits [N, K] of any float dtype, labels int64 [N] → [N]."""
        z = at_least_float32(logits)
        unit, length = _unit(z)
        softmax = _softmax((unit if self.normalize else z) / self.tau, labels)
        term = _base(self.q).term(softmax) + self.weight * self._sparsity(softmax)
        if self.normalize:
            gradient = _across(term.gradient, unit) / (self.tau * length)
        else:
            gradient = term.gradient / self.tau
        return with_gradient(logits, term.value.squeeze(-1), gradient)

    def _sparsity(self, softmax: LabelledSoftmax) -> Term:
        """Σ_j p_j^s."""
        powers = torch.exp(self.s * softmax.log_a)
        total = powers.sum(dim=-1, keepdim=True)
        return Term(total, self.s * (powers - softmax.a * total))


def _base(q: float) -> SoftmaxLoss:
    return GeneralizedCrossEntropy(q) if q else CrossEntropy()


def _softmax(logits: Tensor, labels: Tensor) -> LabelledSoftmax:
    return LabelledSoftmax.of(logits.log_softmax(dim=-1), labels)


def _unit(z: Tensor) -> tuple[Tensor, Tensor]:
    """z / ‖z‖ [..., K] and ‖z‖ [..., 1]; logits that are all 0 have no direction and keep none."""
    length = torch.linalg.vector_norm(z, dim=-1, keepdim=True)
    length = torch.where(length > 0, length, float("inf"))
    return torch.where(length.isfinite(), z / length, 0.0), length


def _across(gradient: Tensor, unit: Tensor) -> Tensor:
    """The part of a gradient that turns the logits, without the part that lengthens them."""
    along: Tensor = torch.linalg.vecdot(gradient, unit).unsqueeze(-1)
    return gradient - along * unit
