"""A small vision transformer for small images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from trainables.architectures import ARCHITECTURES
from trainables.registry import ParameterError, Range

if TYPE_CHECKING:
    from torch import Generator
    from torch.nn import Module


@ARCHITECTURES.register("vit_tiny")
@dataclass(frozen=True)
class ViTTiny:
    """Vision transformer of width 192 with 3 heads: ViT-Ti, on patches that suit small images.

    Norm before each part, learned positions, a class token, no dropout. Weights are normal with
    standard deviation 0.02, biases zero. 5,362,762 parameters on CIFAR-10.

    Args:
        patch: side of a patch in pixels; must divide the sides of the images.
        depth: blocks of attention and perceptron.

    Source: Dosovitskiy et al. (arXiv 2010.11929); the width of Touvron et al. (arXiv 2012.12877).
    """

    patch: Annotated[int, Range(1)] = 4
    depth: Annotated[int, Range(1)] = 12

    def require_shape(self, shape: tuple[int, int, int]) -> None:
        """Raises ParameterError for images that the patches do not tile."""
        if shape[1] % self.patch or shape[2] % self.patch:
            raise ParameterError(
                f"patches of {self.patch} pixels do not tile images of {shape[1]} × {shape[2]}",
                key="patch",
            )

    def __call__(
        self, shape: tuple[int, int, int], num_classes: int, generator: Generator
    ) -> Module:
        """images float [N, C, H, W] → logits [N, K]."""
        from trainables.architectures.transformer import VisionTransformer, initialise

        self.require_shape(shape)
        sizes = {"width": 192, "heads": 3, "depth": self.depth}
        return initialise(
            lambda: VisionTransformer(shape, num_classes, self.patch, **sizes), generator
        )
