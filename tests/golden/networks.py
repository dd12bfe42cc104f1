"""Golden runs of architectures: parameters, initial weights, logits, and logits after a step.

Normal draws differ in the last bits between processors, and a deep network makes much of them. So
initial weights are pinned by themselves, and logits with weights that are the same everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tests.golden.figures import Figure, double, exact, exact_list
from tests.golden.inputs import images, projection
from trainables.architectures import ARCHITECTURES
from trainables.config import Choice
from trainables.seeding import generator

SHAPE, CLASSES, BATCH = (3, 16, 16), 10, 4
LEARNING_RATE = 0.01
LARGEST_RUN = 50_000_000
"""Parameters of the largest network that is also run. The one above, the wide ResNet-101, shares
the code of ResNet-50 and would take seconds and gigabytes."""

RELATIVE = 1e-6
"""Of logits in float64: the deepest network makes 1e-9 of a rounding error."""


def figures(choice: Choice) -> Mapping[str, Figure]:
    """Of one architecture with all its parameters."""
    network = ARCHITECTURES.build(choice)(SHAPE, CLASSES, generator(0, "weights"))
    state = network.state_dict()
    size = sum(weight.numel() for weight in network.parameters())
    return {
        "parameters": exact(size),
        "names and shapes": exact_list([(name, *value.shape) for name, value in state.items()]),
        **_initial_weights(network),
        **(_logits(network) if size < LARGEST_RUN else {}),
    }


def _initial_weights(network: nn.Module) -> Mapping[str, Figure]:
    """Spreads of all matrices, first weights of three, and whatever is constant."""
    weights = [weight.detach() for weight in network.parameters()]
    matrices = [weight for weight in weights if weight.dim() > 1]
    spreads = [float(matrix.std()) * math.sqrt(matrix[0].numel()) for matrix in matrices]
    places = (0, len(spreads) // 2, -1)
    drawn = [float(x) for place in places for x in matrices[place].flatten()[:2]]
    fixed = [float(weight.double().sum()) for weight in weights if weight.dim() == 1]
    modules = [_told(module) for module in network.modules()]
    return {
        "spreads · √inputs": double([spreads[place] for place in places], "matrix", relative=1e-5),
        "sum of spreads · √inputs": double([sum(spreads)], relative=1e-5),
        "first weights": Figure(tuple(drawn), 1e-4, 1e-6, "weight"),
        "sums of biases and scales": exact_list(fixed),
        "modules": exact_list(modules),
    }


def _logits(network: nn.Module) -> Mapping[str, Figure]:
    """Logits of a batch in training, and of other images after one step of gradient descent."""
    _set_weights(network)
    before = network.double().train()(_inputs(0))
    cross_entropy(before, torch.arange(BATCH)).backward()
    before = before.detach()
    return {
        "logits in training": double(before.flatten()[:12], relative=RELATIVE),
        "logits, weighted sums": double(projection(before), "image", relative=RELATIVE),
        "logits after a step": double(_after_step(network), "image", relative=RELATIVE),
    }


@torch.no_grad()
def _after_step(network: nn.Module) -> Tensor:
    """In evaluation mode, so that running statistics count too."""
    for weight in network.parameters():
        assert weight.grad is not None
        weight -= LEARNING_RATE * weight.grad
    return projection(network.eval()(_inputs(1)))


def _told(module: nn.Module) -> str:
    """Kind of a layer, with the numbers that are in no weight."""
    names = ("kernel_size", "stride", "padding", "groups", "eps", "momentum", "p")
    numbers = [f"{name} {getattr(module, name)}" for name in names if hasattr(module, name)]
    return " ".join([type(module).__name__, *numbers])


@torch.no_grad()
def _set_weights(network: nn.Module) -> None:
    """Matrices of the usual spread by whole-number arithmetic; the rest stays as it is."""
    for number, weight in enumerate(network.parameters()):
        if weight.dim() > 1:
            places = torch.arange(weight.numel(), dtype=torch.int64)
            levels = (places * places * 37 + places * 101 + number * 13) % 1009
            bound = math.sqrt(6 / weight[0].numel())
            weight.copy_(((levels - 504).to(torch.float32) * (bound / 504)).view_as(weight))


def _inputs(half: int) -> Tensor:
    """float64 [4, 3, 16, 16] around 0."""
    chosen = images(2 * BATCH, SHAPE)[half * BATCH : (half + 1) * BATCH]
    return chosen.double() / 64 - 2
