"""Softmax with its labelled entry apart, and losses that state value and gradient from it.

A robust loss lives on small differences: a_k near 0 when training starts, 1 - a_k near 0 when it
ends. In float32 the plain log-softmax loses 1 - a_k below 1e-7; here it is the sum of the other
probabilities, so value and gradient keep their relative accuracy over the whole range.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from trainables.losses.gradient import at_least_float32, with_gradient


@dataclass(frozen=True)
class LabelledSoftmax:
    """a = softmax(z) and its parts that belong to the labelled class k. Carries no gradient.

    Args:
        index: k, int64 [..., 1].
        log_a: [..., K].
        a: [..., K].
        log_a_k: log a_k, [..., 1].
        a_k: [..., 1].
        rest: 1 - a_k, [..., 1].
        error: ∂ log a_k / ∂z_n = 1[n = k] - a_n, [..., K].
    """

    index: Tensor
    log_a: Tensor
    a: Tensor
    log_a_k: Tensor
    a_k: Tensor
    rest: Tensor
    error: Tensor

    @classmethod
    def of(cls, log_a: Tensor, labels: Tensor) -> LabelledSoftmax:
        """From log-probabilities [..., K] and labels int64 [...]."""
        index = labels.unsqueeze(-1)
        a = log_a.exp()
        error = a.neg().scatter_(-1, index, 0.0)
        rest = -error.sum(dim=-1, keepdim=True)
        error.scatter_(-1, index, rest)
        # Above one half, log a_k keeps its digits only as log(1 - rest).
        log_a_k = torch.where(rest < 0.5, torch.log1p(-rest), log_a.gather(-1, index))
        return cls(index, log_a, a, log_a_k, log_a_k.exp(), rest, error)

    @cached_property
    def top(self) -> Tensor:
        """The class that leads, int64 [..., 1]."""
        return self.log_a.argmax(dim=-1, keepdim=True)

    @cached_property
    def rest_of_top(self) -> Tensor:
        """1 - a of the class that leads, [..., 1]."""
        return self.a.scatter(-1, self.top, 0.0).sum(dim=-1, keepdim=True)

    @cached_property
    def exact_log_a(self) -> Tensor:
        """log a [..., K], exact also for the class that leads, labelled or not."""
        rest = self.rest_of_top
        leading = torch.where(rest < 0.5, torch.log1p(-rest), self.log_a.gather(-1, self.top))
        return self.log_a.scatter(-1, self.top, leading)

    @cached_property
    def missing(self) -> Tensor:
        """1 - a [..., K], exact also for the class that leads; at least a half for all others."""
        return (1 - self.a).scatter_(-1, self.top, self.rest_of_top)

    def balanced(self, gradient: Tensor) -> Tensor:
        """`gradient` [..., K], which adds up to 0, with minus the rest's sum for the leading class.

        Where a class is certain, its own entry would be a difference of numbers near 1. Overwrites.
        """
        others = gradient.scatter_(-1, self.top, 0.0).sum(dim=-1, keepdim=True)
        return gradient.scatter_(-1, self.top, -others)

    def term(self, value: Tensor, slope: Tensor | float) -> Term:
        """A function of a_k alone: its value and its derivative by log a_k, [..., 1] each."""
        return Term(value, slope * self.error)


@dataclass(frozen=True)
class Term:
    """Value [..., 1] and ∂value/∂z [..., K] of a loss."""

    value: Tensor
    gradient: Tensor

    def __add__(self, other: Term) -> Term:
        return Term(self.value + other.value, self.gradient + other.gradient)

    def __rmul__(self, factor: float) -> Term:
        return Term(factor * self.value, factor * self.gradient)


class SoftmaxLoss:
    """A loss that states its value and gradient in terms of the labelled softmax."""

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """logits [N, K] of any float dtype, labels int64 [N] → [N]."""
        log_a = at_least_float32(logits).log_softmax(dim=-1)
        term = self.term(LabelledSoftmax.of(log_a, labels))
        return with_gradient(logits, term.value.squeeze(-1), term.gradient)

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient of this loss."""
        raise NotImplementedError
