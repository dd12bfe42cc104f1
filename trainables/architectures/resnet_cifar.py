"""The residual networks made for 32 × 32 images: three stages of 16, 32 and 64 channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from trainables.architectures import ARCHITECTURES

if TYPE_CHECKING:
    from torch import Generator
    from torch.nn import Module

WIDTHS = (16, 32, 64)


def _register(depth: int) -> None:
    def build(
        shape: tuple[int, int, int],
        num_classes: int,
        generator: Generator,
        *,
        shortcut: Literal["A", "B"] = "A",
    ) -> Module:
        from trainables.architectures.initialization import kaiming_normal
        from trainables.architectures.residual import ResidualNetwork

        blocks = ((depth - 2) // 6,) * len(WIDTHS)
        return kaiming_normal(
            lambda: ResidualNetwork(shape[0], num_classes, WIDTHS, blocks, shortcut), generator
        )

    build.__doc__ = f"""ResNet-{depth} for 32 × 32 images, {depth} = 6 n + 2 layers.

    Kaiming-normal weights (fan-in), zero biases.

    Args:
        shortcut: A = subsampling with zero channels (default, as published), B = projection.

    Source: He et al., Deep Residual Learning (arXiv 1512.03385), sec. 4.2.
    """
    ARCHITECTURES.register(f"resnet{depth}")(build)


for _depth in (20, 32, 44, 56, 110):
    _register(_depth)
