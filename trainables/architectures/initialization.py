"""Initial weights drawn from an explicit generator, in the order of the network's modules.

Layers of torch draw their weights from the global random state when they are made. Here they are
made without storage first, so that nothing is drawn but what these rules draw.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, nn


def kaiming_normal(make: Callable[[], nn.Module], generator: Generator) -> nn.Module:
    """Make a network of convolutions, linear layers and batch norms, and set all its tensors.

    Convolutions and linear layers: Kaiming-normal, fan-in, gain √2; biases zero. Batch norms: scale
    one, shift zero, running mean zero, running variance one.

    Args:
        make: builds the network; every tensor it makes is replaced.
        generator: on the CPU, the only source of randomness.

    Raises:
        TypeError: another layer has parameters or buffers, which would be left unset.
    """
    with torch.device("meta"):
        network = make()
    network.to_empty(device="cpu")
    for module in network.modules():
        _set_tensors(module, generator)
    return network


def _set_tensors(module: nn.Module, generator: Generator) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, generator=generator)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        module.reset_parameters()
    elif [*module.parameters(recurse=False), *module.buffers(recurse=False)]:
        raise TypeError(f"no rule for the initial weights of {type(module).__name__}")
