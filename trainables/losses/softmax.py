"""log a_k of the labelled class, exact at both ends.

A robust loss lives on small differences: a_k near 0 when training starts, 1 - a_k near 0 when it
ends. In float32 the plain log-softmax loses 1 - a_k below 1e-7; here it is the sum of the other
probabilities, so value and gradient keep their relative accuracy over the whole range.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trainables.losses.gradient import at_least_float32, with_gradient


def labelled_log_probability(logits: Tensor, labels: Tensor) -> Tensor:
    """log a_k with a = softmax(z); ∂/∂z_n = 1[n = k] - a_n. Finite for finite logits.

    Args:
        logits: [..., K], any float dtype.
        labels: int64 [...].

    Returns:
        [...], dtype of the logits.
    """
    log_labelled, rest, others = split_softmax(at_least_float32(logits), labels)
    gradient = others.neg_().scatter_(-1, labels.unsqueeze(-1), rest)
    return with_gradient(logits, log_labelled.squeeze(-1), gradient)


def split_softmax(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Softmax with its labelled entry apart; no gradient.

    Returns:
        log a_k [..., 1], 1 - a_k [..., 1], and a [..., K] with 0 in place of a_k.
    """
    return split_probabilities(logits.log_softmax(dim=-1), labels)


def split_probabilities(log_a: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """As `split_softmax`, from the log-probabilities [..., K] of any kind of softmax."""
    index = labels.unsqueeze(-1)
    others = log_a.exp().scatter_(-1, index, 0.0)
    rest = others.sum(dim=-1, keepdim=True)
    log_labelled = torch.where(rest < 0.5, torch.log1p(-rest), log_a.gather(-1, index))
    return log_labelled, rest, others


def one_minus_exp(exponent: Tensor) -> Tensor:
    """1 - e^x for x <= 0, elementwise, with all its digits near x = 0.

    `torch.expm1` gives the same value, but takes its derivative as value + 1, which loses a small
    e^x altogether: the gradient of a sample that starts with a small a_k.
    """
    plain = at_least_float32(exponent)
    return with_gradient(exponent, -torch.expm1(plain), -torch.exp(plain))
