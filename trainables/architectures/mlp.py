"""Fully connected networks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from trainables.architectures import ARCHITECTURES
from trainables.registry import ParameterError

if TYPE_CHECKING:
    from torch import Generator
    from torch.nn import Module


@ARCHITECTURES.register("mlp")
@dataclass(frozen=True)
class MLP:
    """Pixels - hidden layers - logits with ReLU between; Xavier-uniform weights, zero biases.

    Args:
        hidden: widths of the hidden layers, at least one entry.
    """

    stackable: ClassVar[bool] = True

    hidden: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.hidden or min(self.hidden) < 1:
            raise ParameterError("'hidden' must list widths >= 1", key="hidden")

    def __call__(
        self, shape: tuple[int, int, int], num_classes: int, generator: Generator
    ) -> Module:
        """images float [N, C, H, W] → logits [N, K]."""
        from torch import nn

        layers: list[Module] = [nn.Flatten()]
        for inputs, outputs in pairwise((math.prod(shape), *self.hidden, num_classes)):
            linear = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")
            nn.init.xavier_uniform_(linear.weight, generator=generator)
            nn.init.zeros_(linear.bias)
            layers += [linear, nn.ReLU()]
        return nn.Sequential(*layers[:-1])


@ARCHITECTURES.register("mlp1024")
class MLP1024(MLP):
    """MLP with hidden layers 1024-512-512.

    3,939,338 parameters on CIFAR-10, 1,596,426 on Fashion-MNIST.

    Source: Staats et al. (arXiv 2306.05497), appendix (tables 5 and 6).
    """

    def __init__(self) -> None:
        super().__init__((1024, 512, 512))
