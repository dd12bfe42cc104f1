"""Pre-activation ResNets and wide ResNets for small images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from trainables.architectures import ARCHITECTURES

if TYPE_CHECKING:
    from torch import Generator
    from torch.nn import Module


@ARCHITECTURES.register("preact_resnet18")
def preact_resnet18(shape: tuple[int, int, int], num_classes: int, generator: Generator) -> Module:
    """Four stages of 2 pre-activation blocks, 64 to 512 channels; Kaiming-normal, zero biases.

    11,171,146 parameters on CIFAR-10.

    Source: He et al., Identity Mappings in Deep Residual Networks (arXiv 1603.05027), in the form
    for small images that papers of label noise use: no norm before the average.
    """
    return _build(shape, num_classes, generator, 64, (64, 128, 256, 512), (2, 2, 2, 2))


@ARCHITECTURES.register("preact_resnet34")
def preact_resnet34(shape: tuple[int, int, int], num_classes: int, generator: Generator) -> Module:
    """Four stages of 3, 4, 6, 3 pre-activation blocks, 64 to 512 channels; Kaiming-normal.

    21,279,306 parameters on CIFAR-10, 21,325,476 on CIFAR-100. Code of label-noise papers calls
    other networks by this name: that of Zhang et al. (arXiv 2103.07756) has 21,282,122 weights and
    its norms after the convolutions, which is `resnet34` here; for that of Englesson & Azizpour see
    `preact_resnet34_thin`.

    Source: He et al., Identity Mappings in Deep Residual Networks (arXiv 1603.05027).
    """
    return _build(shape, num_classes, generator, 64, (64, 128, 256, 512), (3, 4, 6, 3))


@ARCHITECTURES.register("preact_resnet34_thin")
def preact_resnet34_thin(
    shape: tuple[int, int, int], num_classes: int, generator: Generator
) -> Module:
    """Three stages of 5 pre-activation blocks, 32, 64 and 128 channels; Kaiming-normal.

    1,860,138 parameters on CIFAR-10, 1,871,748 on CIFAR-100. Englesson & Azizpour (arXiv
    2105.04522) call this PreActResNet-34; it has an eleventh of the weights of the usual one.
    """
    return _build(shape, num_classes, generator, 32, (32, 64, 128), (5, 5, 5), last_norm=True)


@ARCHITECTURES.register("wrn28_10")
def wrn28_10(shape: tuple[int, int, int], num_classes: int, generator: Generator) -> Module:
    """Wide ResNet: 28 layers, ten times as wide, without dropout; Kaiming-normal, zero biases.

    36,479,194 parameters on CIFAR-10, 36,536,884 on CIFAR-100.

    Source: Zagoruyko & Komodakis, Wide Residual Networks (arXiv 1605.07146), table 5.
    """
    return _wide(shape, num_classes, generator, depth=28, factor=10)


@ARCHITECTURES.register("wrn40_2")
def wrn40_2(shape: tuple[int, int, int], num_classes: int, generator: Generator) -> Module:
    """Wide ResNet: 40 layers, twice as wide, without dropout; Kaiming-normal, zero biases.

    2,243,546 parameters on CIFAR-10, 2,255,156 on CIFAR-100.

    Source: Zagoruyko & Komodakis, Wide Residual Networks (arXiv 1605.07146).
    """
    return _wide(shape, num_classes, generator, depth=40, factor=2)


def _wide(
    shape: tuple[int, int, int], num_classes: int, generator: Generator, *, depth: int, factor: int
) -> Module:
    widths = (16 * factor, 32 * factor, 64 * factor)
    blocks = ((depth - 4) // 6,) * 3
    return _build(shape, num_classes, generator, 16, widths, blocks, last_norm=True)


def _build(
    shape: tuple[int, int, int],
    num_classes: int,
    generator: Generator,
    stem: int,
    widths: Sequence[int],
    blocks: Sequence[int],
    *,
    last_norm: bool = False,
) -> Module:
    from trainables.architectures.initialization import kaiming_normal
    from trainables.architectures.preactivation import PreActivationNetwork

    return kaiming_normal(
        lambda: PreActivationNetwork(
            shape[0], num_classes, stem, widths, blocks, last_norm=last_norm
        ),
        generator,
    )
