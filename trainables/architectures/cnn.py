"""The plain convolutional networks of the robust-loss papers since 2020, and LeNet-5."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from trainables.architectures import ARCHITECTURES, InitialWeights

if TYPE_CHECKING:
    from torch import Generator
    from torch.nn import Module


@ARCHITECTURES.register("cnn4")
def cnn4(
    shape: tuple[int, int, int],
    num_classes: int,
    generator: Generator,
    *,
    initial_weights: InitialWeights = "kaiming_uniform",
) -> Module:
    """Two convolutions of 32 and 64 channels, each pooled, and two linear layers, 128 between.

    422,090 parameters on MNIST.

    Args:
        initial_weights: `kaiming_uniform` as in the papers' code (linear layers Xavier-uniform,
            small random biases) or `kaiming_normal` (zero biases).

    Source: the "4-layer CNN" of Ma et al. (arXiv 2006.13554), by their code.
    """
    blocks = ((32,), (64,))
    return _build(shape, num_classes, generator, blocks, 128, initial_weights)


@ARCHITECTURES.register("cnn8")
def cnn8(
    shape: tuple[int, int, int],
    num_classes: int,
    generator: Generator,
    *,
    initial_weights: InitialWeights = "kaiming_uniform",
) -> Module:
    """Three pooled pairs of convolutions, 64, 128 and 196 channels, and two linear layers.

    256 units between the linear layers. 1,639,794 parameters on CIFAR-10. The last width is 196,
    not 192 or 256.

    Args:
        initial_weights: `kaiming_uniform` as in the papers' code (linear layers Xavier-uniform,
            small random biases) or `kaiming_normal` (zero biases).

    Source: the "8-layer CNN" of Ma et al. (arXiv 2006.13554), by their code.
    """
    blocks = ((64, 64), (128, 128), (196, 196))
    return _build(shape, num_classes, generator, blocks, 256, initial_weights)


@ARCHITECTURES.register("lenet5")
def lenet5(shape: tuple[int, int, int], num_classes: int, generator: Generator) -> Module:
    """Convolutions of 6 and 16 channels, linear layers of 120 and 84; ReLU and maximum pooling.

    The first convolution pads 28 × 28 images to 32 × 32. Kaiming-normal weights, zero biases.
    61,706 parameters on MNIST.

    Source: LeCun et al. (Proc. IEEE 1998), fig. 2, with today's activations, as in Menon et al.
    (ICLR 2020).
    """
    from torch import nn

    from trainables.architectures.initialization import kaiming_normal

    padding = 2 if shape[1] == 28 else 0
    height, width = ((side + 2 * padding - 4) // 2 for side in shape[1:])
    features = 16 * ((height - 4) // 2) * ((width - 4) // 2)

    def make() -> Module:
        return nn.Sequential(
            nn.Conv2d(shape[0], 6, 5, padding=padding),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(features, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, num_classes),
        )

    return kaiming_normal(make, generator)


def _build(
    shape: tuple[int, int, int],
    num_classes: int,
    generator: Generator,
    blocks: Sequence[Sequence[int]],
    hidden: int,
    initial_weights: InitialWeights,
) -> Module:
    """Blocks of convolutions, each halved by maximum pooling, then a hidden layer and logits."""
    from torch import nn

    from trainables.architectures.initialization import RULES

    scale = 2 ** len(blocks)
    features = blocks[-1][-1] * (shape[1] // scale) * (shape[2] // scale)

    def make() -> Module:
        return nn.Sequential(
            *_convolutions(shape[0], blocks),
            nn.Flatten(),
            nn.Linear(features, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, num_classes),
        )

    return RULES[initial_weights](make, generator)


def _convolutions(channels: int, blocks: Sequence[Sequence[int]]) -> Iterator[Module]:
    from torch import nn

    for widths in blocks:
        for width in widths:
            yield nn.Conv2d(channels, width, 3, padding=1)
            yield nn.BatchNorm2d(width)
            yield nn.ReLU()
            channels = width
        yield nn.MaxPool2d(2)
