"""ResNet-18 and ResNet-34 in the form for small images: 3 × 3 stem of stride 1, no pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.architectures import ARCHITECTURES

if TYPE_CHECKING:
    from torch import Generator
    from torch.nn import Module

WIDTHS = (64, 128, 256, 512)


@ARCHITECTURES.register("resnet18")
def resnet18(shape: tuple[int, int, int], num_classes: int, generator: Generator) -> Module:
    """Four stages of 2 basic blocks, projection shortcuts; Kaiming-normal weights, zero biases.

    Source: He et al., Deep Residual Learning (arXiv 1512.03385), table 1; the form for small images
    is that of Zhang & Sabuncu (NeurIPS 2018), sec. 4, on Fashion-MNIST.
    """
    return _build(shape, num_classes, generator, blocks=(2, 2, 2, 2))


@ARCHITECTURES.register("resnet34")
def resnet34(shape: tuple[int, int, int], num_classes: int, generator: Generator) -> Module:
    """Four stages of 3, 4, 6, 3 basic blocks, projection shortcuts; Kaiming-normal, zero biases.

    21,328,292 parameters on CIFAR-100, 21,282,122 on CIFAR-10.

    Source: He et al., Deep Residual Learning (arXiv 1512.03385), table 1; the form for small images
    is that of github.com/weiaicunzai/pytorch-cifar100, used by Staats et al. (arXiv 2306.05497).
    """
    return _build(shape, num_classes, generator, blocks=(3, 4, 6, 3))


def _build(
    shape: tuple[int, int, int],
    num_classes: int,
    generator: Generator,
    *,
    blocks: tuple[int, int, int, int],
) -> Module:
    from trainables.architectures.initialization import kaiming_normal
    from trainables.architectures.residual import ResidualNetwork

    return kaiming_normal(
        lambda: ResidualNetwork(shape[0], num_classes, WIDTHS, blocks, "B"), generator
    )
