"""S networks of one architecture as one: a lone network as it is, several as batched products.

Everything in training has a leading member axis S; a lone run is a stack of one. The tensors that
belong to a member read the same in both forms, so a run may be stopped in a stack and go on alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from trainables.training.stackable import StackError


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
        StackError: a network is more than a chain of Flatten, Linear and ReLU.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.num_members = len(networks)
        layers = zip(*(_chain(network) for network in networks), strict=True)
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
    """Networks of one architecture on one device as one. Raises StackError."""
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


def _chain(network: nn.Module) -> tuple[nn.Module, ...]:
    """The layers that a network is made of and nothing else. Raises StackError."""
    # A subclass may compute anything from its layers.
    if type(network) is not nn.Sequential:
        raise _refusal(f"a {type(network).__name__} is not a plain nn.Sequential")
    layers = tuple(network.children())
    if len(layers) != len(network):
        raise _refusal("a layer stands in it twice")
    weights = [weight for layer in layers for weight in layer.parameters()]
    if len(list(network.parameters())) != len(weights):
        raise _refusal("layers share a weight")
    if not all(weight.requires_grad for weight in weights):
        raise _refusal("a weight is not trained")
    if any(hooks for module in (network, *layers) for hooks in _hooks(module)):
        raise _refusal("a hook is registered in it")
    return layers


def _hooks(module: nn.Module) -> Iterator[Mapping[int, object]]:
    yield module._forward_hooks
    yield module._forward_pre_hooks
    yield module._backward_hooks
    yield module._backward_pre_hooks


def _stacked(layers: Sequence[nn.Module]) -> nn.Module:
    """The same layer of all members as one. Their exact classes: a subclass may do otherwise."""
    first = layers[0]
    if type(first) is nn.Linear and first.bias is not None:
        return StackedLinear([layer for layer in layers if isinstance(layer, nn.Linear)])
    if type(first) is nn.Flatten and (first.start_dim, first.end_dim) == (1, -1):
        return nn.Flatten(start_dim=2)
    if type(first) is nn.ReLU:
        return nn.ReLU()
    raise _refusal(f"{first} is none of Flatten, ReLU and Linear with a bias")


def _refusal(reason: str) -> StackError:
    return StackError(reason, key="architecture")
