"""Which weights decay: norms and biases may be exempt."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch.nn import Parameter


def decay_groups(
    parameters: Iterable[Parameter], weight_decay: float, *, exempt_vectors: bool
) -> list[dict[str, Any]]:
    """Parameter groups for torch: all weights, or matrices apart from scales, shifts and biases.

    Args:
        parameters: of a lone network.
        exempt_vectors: parameters of one dimension do not decay.
    """
    weights = list(parameters)
    if not (exempt_vectors and weight_decay):
        return [{"params": weights, "weight_decay": weight_decay}]
    matrices = [weight for weight in weights if weight.dim() > 1]
    vectors = [weight for weight in weights if weight.dim() <= 1]
    groups = [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
