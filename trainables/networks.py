"""S networks of one architecture as one: a lone network as it is, several as batched products.

Everything in training has a leading member axis S; a lone run is a stack of one. The tensors that
belong to a member read the same in both forms, so a run may be stopped in a stack and go on alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainables.registry import ParameterError


class LoneNetwork(nn.Module):
    """One network of any architecture; S = 1."""

    num_members = 1

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """images float [1, B, C, H, W] → logits [1, B, K]."""
        logits: Tensor = self.network(images.squeeze(0))
        return logits.unsqueeze(0)

    def member_state(self, member: int) -> dict[str, Tensor]:
        """Weights and buffers by name."""
        del member
        return self.network.state_dict()

    def finite_members(self) -> Tensor:
        """Whether every weight is finite, bool [1]."""
        return torch.stack([w.isfinite().all() for w in self.parameters()]).all().unsqueeze(0)


class StackedNetwork(nn.Module):
    """S multilayer perceptrons of the same shape, layer by layer as batched products.

    Raises:
        ParameterError: a layer is none of Flatten, Linear and ReLU.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.num_members = len(networks)
        layers = zip(*(network.children() for network in networks), strict=True)
        self.layers = nn.Sequential(*(_stacked(members) for members in layers))

    def forward(self, images: Tensor) -> Tensor:
        """images float [S, B, C, H, W], or [1, B, C, H, W] for all members → logits [S, B, K]."""
        logits: Tensor = self.layers(images.expand(self.num_members, *images.shape[1:]))
        return logits

    def member_state(self, member: int) -> dict[str, Tensor]:
        """Weights of one member by the names that they have in a lone network."""
        return {name: w[member].clone() for name, w in self.layers.state_dict().items()}

    def finite_members(self) -> Tensor:
        """Whether every weight of a member is finite, bool [S]."""
        finite = [w.isfinite().flatten(1).all(dim=1) for w in self.parameters()]
        return torch.stack(finite).all(dim=0)


Network = LoneNetwork | StackedNetwork


def as_one(networks: Sequence[nn.Module]) -> Network:
    """Networks of one architecture on one device as one. Raises ParameterError."""
    return LoneNetwork(networks[0]) if len(networks) == 1 else StackedNetwork(networks)


class StackedLinear(nn.Module):
    """S linear layers; weights [S, out, in], biases [S, out]."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.stack([layer.weight.detach() for layer in layers]))
        self.bias = nn.Parameter(torch.stack([layer.bias.detach() for layer in layers]))

    def forward(self, x: Tensor) -> Tensor:
        """[S, B, in] → [S, B, out]."""
        return torch.baddbmm(self.bias.unsqueeze(1), x, self.weight.transpose(1, 2))


def _stacked(layers: Sequence[nn.Module]) -> nn.Module:
    """The same layer of all members as one."""
    first = layers[0]
    if isinstance(first, nn.Linear):
        return StackedLinear([layer for layer in layers if isinstance(layer, nn.Linear)])
    if isinstance(first, nn.Flatten):
        return nn.Flatten(start_dim=2)
    if isinstance(first, nn.ReLU):
        return nn.ReLU()
    raise ParameterError(f"a {type(first).__name__} layer cannot be stacked", key="architecture")
