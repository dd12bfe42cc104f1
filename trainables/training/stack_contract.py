"""A stack is refused unless it computes what its members compute.

Which architectures may be stacked is declared (`trainables.training.stackable`); here it is tried,
on images of the run, before the first step.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainables.training.stackable import StackError
from trainables.training.stacked import StackedNetwork

IMAGES = 8
"""That both are tried on: a wrong formula is wrong on all."""

TOLERANCE = 1e-5
"""Of the largest logit: the same sums in another order."""


@torch.no_grad()
def require_same_logits(
    members: Sequence[nn.Module], stack: StackedNetwork, images: Tensor
) -> None:
    """Compare the logits of a stack with those of its members alone, in evaluation mode.

    Args:
        images: float32 [B, C, H, W], on the device of both.

    Raises:
        StackError: they differ. A member that has diverged is passed over.
    """
    together = _evaluated(stack, images.unsqueeze(0))
    for logits, member in zip(together, members, strict=True):
        alone = _evaluated(member, images)
        if not alone.isfinite().all():
            continue
        scale, error = float(alone.abs().max()), float((logits - alone).abs().max())
        if not error <= TOLERANCE * scale:
            raise StackError(f"stacked logits differ from lone ones by {error:.2g} of {scale:.2g}")


def _evaluated(network: nn.Module, images: Tensor) -> Tensor:
    network.eval()
    logits: Tensor = network(images)
    network.train()
    return logits
