"""Initial weights drawn from an explicit generator, in the order of the network's modules."""

from __future__ import annotations

from torch import Generator, nn


def kaiming_normal(network: nn.Module, generator: Generator) -> nn.Module:
    """Set every weight and buffer of a network of convolutions, linear layers and batch norms.

    Convolutions and linear layers: Kaiming-normal, fan-in, gain √2; biases zero. Batch norms: scale
    one, shift zero, running mean zero, running variance one. Raises TypeError for any other layer
    with parameters, so that none is left unset.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
        elif next(module.parameters(recurse=False), None) is not None:
            raise TypeError(f"no rule for the initial weights of {type(module).__name__}")
    return network
