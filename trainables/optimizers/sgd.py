"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from trainables.optimizers import OPTIMIZERS
from trainables.optimizers.decay import decay_groups
from trainables.registry import Range

if TYPE_CHECKING:
    from torch.nn import Parameter
    from torch.optim import Optimizer


@OPTIMIZERS.register("sgd")
@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent with momentum and L2 weight decay, fused where torch can.

    Args:
        momentum: [0, 1), default 0.9.
        weight_decay: >= 0, default 0; half of it times the squared norm is added to the loss.
        nesterov: look-ahead form of the momentum, default False.
        l1: >= 0, default 0; it times the sum of absolute weights is added to the loss, of biases
            and norms too. Its gradient is clipped with the others (Ye et al., NeurIPS 2023).
        exempt_vectors: biases and norms do not decay, default False.
    """

    momentum: Annotated[float, Range(0, 1, high_open=True)] = 0.9
    weight_decay: Annotated[float, Range(0)] = 0.0
    nesterov: bool = False
    l1: Annotated[float, Range(0)] = 0.0
    exempt_vectors: bool = False

    def __call__(self, parameters: Iterable[Parameter], learning_rate: float) -> Optimizer:
        import torch

        return torch.optim.SGD(
            decay_groups(parameters, self.weight_decay, exempt_vectors=self.exempt_vectors),
            lr=learning_rate,
            momentum=self.momentum,
            nesterov=self.nesterov,
            fused=True,
        )
