"""What happens to gradients between the backward pass and the update: an L1 penalty, clipping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

TINY = 1e-6
"""Added to a norm, as torch's own clipping does."""


@dataclass(frozen=True)
class Shaping:
    """The order is that of a penalty in the loss: L1 first, so that it counts in the norm.

    Nothing in it waits for the device. A gradient that is not finite stays so.

    Args:
        l1: this times the sign of each weight is added to its gradient.
        clip_norm: largest norm of the gradients of a member, all weights together; None for any.
    """

    l1: float = 0.0
    clip_norm: float | None = None

    def __call__(self, parameters: Sequence[nn.Parameter], *, stacked: bool) -> None:
        """Change the gradients in place.

        Args:
            stacked: parameters are [S, …], and each member has a norm of its own.
        """
        if not self.l1 and self.clip_norm is None:
            return
        with torch.no_grad():
            gradients = [w.grad for w in parameters if w.grad is not None]
            if self.l1:
                weights = [w.detach() for w in parameters if w.grad is not None]
                signs = torch._foreach_sign(weights)
                torch._foreach_add_(gradients, signs, alpha=self.l1)
            if self.clip_norm is not None:
                self._clip(gradients, stacked=stacked)

    def _clip(self, gradients: Sequence[Tensor], *, stacked: bool) -> None:
        assert self.clip_norm is not None
        if not stacked:
            norm = torch.stack(torch._foreach_norm(list(gradients))).norm()
            share = (self.clip_norm / (norm + TINY)).clamp(max=1.0)
            torch._foreach_mul_(list(gradients), share)
            return
        squares = [gradient.flatten(1).square().sum(dim=1) for gradient in gradients]
        shares = (self.clip_norm / (torch.stack(squares).sum(dim=0).sqrt() + TINY)).clamp(max=1.0)
        for gradient in gradients:
            gradient.mul_(shares.view(-1, *[1] * (gradient.dim() - 1)))
