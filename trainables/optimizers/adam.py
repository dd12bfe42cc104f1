"""Adam, and Adam with decoupled weight decay."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from trainables.optimizers import OPTIMIZERS
from trainables.optimizers.decay import decay_groups
from trainables.registry import Range

if TYPE_CHECKING:
    from torch.nn import Parameter
    from torch.optim import Optimizer


@OPTIMIZERS.register("adam")
@dataclass(frozen=True)
class Adam:
    """Adam; its weight decay is an L2 penalty, which the second moment rescales.

    Trains alone: it has no stacked form.

    Args:
        beta1, beta2: decay of the first and second moment, [0, 1), default 0.9 and 0.999.
        epsilon: > 0, added to the root of the second moment, default 1e-8.
        weight_decay: >= 0, default 0.
        exempt_vectors: biases and norms do not decay, default False.

    Source: Kingma & Ba (arXiv 1412.6980).
    """

    decoupled: ClassVar[bool] = False

    beta1: Annotated[float, Range(0, 1, high_open=True)] = 0.9
    beta2: Annotated[float, Range(0, 1, high_open=True)] = 0.999
    epsilon: Annotated[float, Range(0, low_open=True)] = 1e-8
    weight_decay: Annotated[float, Range(0)] = 0.0
    exempt_vectors: bool = False

    def __call__(self, parameters: Iterable[Parameter], learning_rate: float) -> Optimizer:
        import torch

        weights = list(parameters)
        return torch.optim.Adam(
            decay_groups(weights, self.weight_decay, exempt_vectors=self.exempt_vectors),
            lr=learning_rate,
            betas=(self.beta1, self.beta2),
            eps=self.epsilon,
            fused=True,
            capturable=weights[0].is_cuda,  # its step count may lie in a recorded step
            decoupled_weight_decay=self.decoupled,
        )


@OPTIMIZERS.register("adamw")
@dataclass(frozen=True)
class AdamW(Adam):
    """Adam whose weights shrink by learning rate times `weight_decay`, beside the gradient.

    Trains alone: it has no stacked form.

    Args:
        beta1, beta2: decay of the first and second moment, [0, 1), default 0.9 and 0.999.
        epsilon: > 0, added to the root of the second moment, default 1e-8.
        weight_decay: >= 0, default 0.01.
        exempt_vectors: biases and norms do not decay, default False.

    Source: Loshchilov & Hutter (arXiv 1711.05101).
    """

    decoupled: ClassVar[bool] = True

    weight_decay: Annotated[float, Range(0)] = 0.01
