"""ResNet-18 and ResNet-34, in the form for small images: 3 × 3 stem of stride 1, no pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from trainables.architectures import ARCHITECTURES, InitialWeights

if TYPE_CHECKING:
    from torch import Generator
    from torch.nn import Module, Sequential

WIDTHS = (64, 128, 256, 512)

Stem = Literal["small", "imagenet"]


@ARCHITECTURES.register("resnet18")
def resnet18(
    shape: tuple[int, int, int],
    num_classes: int,
    generator: Generator,
    *,
    stem: Stem = "small",
    initial_weights: InitialWeights = "kaiming_normal",
) -> Module:
    """Four stages of 2 basic blocks, projection shortcuts.

    11,173,962 parameters on CIFAR-10.

    Args:
        stem: `small`, or `imagenet`: 7 × 7 of stride 2 and pooling, also on small images.
        initial_weights: `kaiming_normal` (zero biases), or `kaiming_uniform` as in the code of Ma
            et al. (arXiv 2006.13554): linear layer Xavier-uniform, small random biases.

    Source: He et al., Deep Residual Learning (arXiv 1512.03385), table 1; the form for small images
    is that of Zhang & Sabuncu (NeurIPS 2018), sec. 4, on Fashion-MNIST.
    """
    return _build(shape, num_classes, generator, (2, 2, 2, 2), stem, initial_weights)


@ARCHITECTURES.register("resnet34")
def resnet34(
    shape: tuple[int, int, int],
    num_classes: int,
    generator: Generator,
    *,
    stem: Stem = "small",
    initial_weights: InitialWeights = "kaiming_normal",
) -> Module:
    """Four stages of 3, 4, 6, 3 basic blocks, projection shortcuts.

    21,328,292 parameters on CIFAR-100, 21,282,122 on CIFAR-10; 21,335,972 and 21,289,802
    with the stem of ImageNet, as LogitClip's code (Wei et al., arXiv 2212.04055) has it.

    Args:
        stem: `small`, or `imagenet`: 7 × 7 of stride 2 and pooling, also on small images.
        initial_weights: `kaiming_normal` (zero biases), or `kaiming_uniform` as in the code of Ma
            et al. (arXiv 2006.13554): linear layer Xavier-uniform, small random biases.

    Source: He et al., Deep Residual Learning (arXiv 1512.03385), table 1; the form for small images
    is that of github.com/weiaicunzai/pytorch-cifar100, used by Staats et al. (arXiv 2306.05497).
    """
    return _build(shape, num_classes, generator, (3, 4, 6, 3), stem, initial_weights)


def _build(
    shape: tuple[int, int, int],
    num_classes: int,
    generator: Generator,
    blocks: tuple[int, int, int, int],
    stem: Stem,
    initial_weights: InitialWeights,
) -> Module:
    from trainables.architectures.initialization import RULES
    from trainables.architectures.residual import ResidualNetwork

    def make() -> Module:
        network = ResidualNetwork(shape[0], num_classes, WIDTHS, blocks, "B")
        if stem == "imagenet":
            network.stem = _imagenet_stem(shape[0])
        return network

    return RULES[initial_weights](make, generator)


def _imagenet_stem(channels: int) -> Sequential:
    """[N, C, H, W] → [N, 64, H/4, W/4]."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(channels, WIDTHS[0], 7, stride=2, padding=3, bias=False),
        nn.BatchNorm2d(WIDTHS[0]),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
    )
