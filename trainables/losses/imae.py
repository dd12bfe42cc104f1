"""IMAE: the value of MAE, its gradient reweighted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch

from trainables.losses import LOSSES
from trainables.losses.softmax import LabelledSoftmax, SoftmaxLoss, Term
from trainables.registry import Range


@LOSSES.register("imae")
@dataclass(frozen=True)
class ImprovedMeanAbsoluteError(SoftmaxLoss):
    """Value L(z, k) = 2 (1 - p) with p = a_k, a = softmax(z); the gradient is a rule of its own.

    δ_k = -w / 2 and δ_n = w a_n / (2 (1 - p)) for n ≠ k, with the weight w = exp(T p (1 - p)), the
    L1 norm of the gradient: uncertain samples count most. The value is bounded by 2 and symmetric.
    The gradient is not the derivative of any bounded loss: w >= 1 also where the network
    contradicts the label or is sure of it, so T = 0 gives every sample the same weight.

    Args:
        temperature: T in [0, 300], default 8 as published for noisy training sets; 0.5 for clean.

    Source: Wang et al., IMAE (arXiv 1903.12141), eq. 21-22.
    """

    is_gradient_rule: ClassVar[bool] = True

    temperature: Annotated[float, Range(0, 300)] = 8.0

    def term(self, softmax: LabelledSoftmax) -> Term:
        """Value and gradient."""
        weight = torch.exp(self.temperature * softmax.a_k * softmax.rest)
        # a_n / (1 - p) is the softmax over the other classes, which stays finite at p = 1.
        shares = softmax.log_a.scatter(-1, softmax.index, -math.inf).softmax(dim=-1)
        gradient = weight / 2 * shares.scatter(-1, softmax.index, -1.0)
        return Term(2 * softmax.rest, gradient)
