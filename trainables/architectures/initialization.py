"""Initial weights drawn from an explicit generator, in the order of the network's modules.

Layers of torch draw their weights from the global random state when they are made. Here they are
made without storage first, so that nothing is drawn but what these rules draw.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Generator, nn

Make = Callable[[], nn.Module]
"""Builds a network; every tensor it makes is replaced."""

Rule = Callable[[Make, Generator], nn.Module]


def kaiming_normal(make: Make, generator: Generator) -> nn.Module:
    """Make a network of convolutions, linear layers and norms, and set all its tensors.

    Convolutions and linear layers: Kaiming-normal, fan-in, gain √2; biases zero. Norms: scale one,
    shift zero, running mean zero, running variance one.

    Args:
        make: builds the network.
        generator: on the CPU, the only source of randomness.

    Raises:
        TypeError: another layer has parameters or buffers, which would be left unset.
    """
    return _initialised(make, generator, _set_normal)


def kaiming_uniform(make: Make, generator: Generator) -> nn.Module:
    """As `kaiming_normal`, with the weights that the code of Ma et al. (2006.13554) gives.

    Convolutions: uniform with bound √(6 / fan-in); linear layers: Xavier-uniform; biases of both
    uniform with bound 1 / √(fan-in), which is torch's own rule for them.
    """
    return _initialised(make, generator, _set_uniform)


RULES: Final[Mapping[str, Rule]] = {
    "kaiming_normal": kaiming_normal,
    "kaiming_uniform": kaiming_uniform,
}
"""Name in a study → rule."""


def _initialised(
    make: Make,
    generator: Generator,
    set_weights: Callable[[nn.Conv2d | nn.Linear, Generator], None],
) -> nn.Module:
    with torch.device("meta"):
        network = make()
    network.to_empty(device="cpu")
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            set_weights(module, generator)
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.affine:
            module.reset_parameters()
        elif [*module.parameters(recurse=False), *module.buffers(recurse=False)]:
            raise TypeError(f"no rule for the initial weights of {type(module).__name__}")
    return network


def _set_normal(layer: nn.Conv2d | nn.Linear, generator: Generator) -> None:
    nn.init.kaiming_normal_(layer.weight, generator=generator)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def _set_uniform(layer: nn.Conv2d | nn.Linear, generator: Generator) -> None:
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
    else:
        nn.init.xavier_uniform_(layer.weight, generator=generator)
    if layer.bias is not None:
        bound = layer.weight[0].numel() ** -0.5
        nn.init.uniform_(layer.bias, -bound, bound, generator=generator)
