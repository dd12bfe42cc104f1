"""A value whose derivative is known in closed form.

Automatic differentiation of a formula is exact only up to the cancellations of that formula. Where
the textbook derivative is better conditioned, or cheaper, or is itself the definition, a loss
states it here. Knows nothing of any particular loss.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def with_gradient(variable: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
    """`value` as a function of `variable` with ∂value/∂variable = `gradient`.

    Args:
        variable: what gradients flow to, [..., K] or [...].
        value: [...], computed from `variable.detach()`.
        gradient: shape of `variable`. A second derivative is refused, not silently wrong.

    Returns:
        `value` in the dtype of `variable`.
    """
    stated = _StatedGradient.apply(variable, value.to(variable.dtype), gradient.to(variable.dtype))
    return cast("Tensor", stated)


def at_least_float32(variable: Tensor) -> Tensor:
    """`variable` without its history; half precision widened, so that sums keep their digits."""
    half = variable.dtype in (torch.float16, torch.bfloat16)
    return variable.detach().float() if half else variable.detach()


class _StatedGradient(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(_variable: Tensor, value: Tensor, _gradient: Tensor) -> Tensor:
        # A new tensor: an input returned as it is would be taken for a view of that input.
        return value.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], _output: Tensor) -> None:
        ctx.save_for_backward(inputs[2])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        if gradient.dim() > outer.dim():
            outer = outer.unsqueeze(-1)
        return outer * gradient, None, None
