"""What every architecture must do, tried on a given one: shapes, gradient, weights, independence.

`check_architecture` is what `orchestrator check-architecture` prints for a researcher's own network
before it is trained. Knows the definition of an architecture and no particular one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from trainables.isolation.global_random import generators_set_back, torch_generators
from trainables.isolation.state import ProcessState
from trainables.registry import ParameterError
from trainables.theory.loss_contract import Finding, Outcome, global_state_finding, tried
from trainables.training.stack_contract import require_same_logits
from trainables.training.stackable import StackError, declares_stackable
from trainables.training.stacked import StackedNetwork

if TYPE_CHECKING:
    from trainables.architectures import Architecture

SEED = 1
SHAPES = (
    ("MNIST", (1, 28, 28), 10),
    ("CIFAR-100", (3, 32, 32), 100),
    ("Tiny ImageNet", (3, 64, 64), 200),
)
"""Name, (channels, height, width) and classes of what is tried."""

TOLERANCE = 1e-4
"""Of the largest logit: kernels add up in another order for another batch."""


def check_architecture(
    build: Architecture, before: ProcessState | None = None
) -> tuple[Finding, ...]:
    """Every property. An exception of the network is a failed finding.

    Args:
        build: (shape, class count, generator) → network.
        before: what the process was like before the file was imported; None if that is not known.
            The process is brought back to it.
    """
    before = before or ProcessState.now()
    with generators_set_back("cpu"):
        findings = [tried(check, build) for check in CHECKS]
    return *findings, global_state_finding(before, draws=False)


def _shapes(build: Architecture) -> Outcome:
    """A module that gives logits [N, K] in float32 for images [N, C, H, W]"""
    seen, is_right, fits_any = [], True, False
    for name, shape, classes in SHAPES:
        try:
            network: object = _built(build, shape, classes)
        except ParameterError as error:
            seen.append(f"{name}: refused ({error})")
            continue
        fits_any = True
        if not isinstance(network, nn.Module):
            return False, f"a {type(network).__name__} is no nn.Module"
        with torch.no_grad():
            logits = network.eval()(_images(shape))
        fits = logits.shape == (len(_images(shape)), classes) and logits.dtype == torch.float32
        is_right &= fits
        seen.append(name if fits else f"{name}: {list(logits.shape)} {logits.dtype}")
    return is_right and fits_any, "; ".join(seen)


def _gradient(build: Architecture) -> Outcome:
    """The gradient reaches every weight that is trained"""
    network, images, labels = _in_training(build)
    torch.autograd.backward(nn.functional.cross_entropy(network(images), labels))
    weights = [(name, w) for name, w in network.named_parameters() if w.requires_grad]
    missed = [name for name, w in weights if w.grad is None or not w.grad.isfinite().all()]
    detail = f"not {', '.join(missed)}" if missed else f"{len(weights)} tensors"
    return not missed and bool(weights), detail


def _weights(build: Architecture) -> Outcome:
    """Initial weights come from the given generator alone, each network has its own"""
    _, shape, classes = _first(build)
    before = torch_generators("cpu")[0]
    first = _built(build, shape, classes)
    if not torch.equal(before, torch_generators("cpu")[0]):
        return False, "torch's global random numbers are used"
    torch.rand(3)  # what another part of a program may draw
    again, other = _built(build, shape, classes), _built(build, shape, classes, seed=SEED + 1)
    if _memory(first) & _memory(again):
        return False, "two networks share their weights"
    if not _are_equal(first, again):
        return False, "equal generators give unequal weights"
    if any(True for _ in first.parameters()) and _are_equal(first, other):
        return False, "unequal generators give equal weights"
    return True, "equal generators give equal weights, bit by bit"


def _evaluation(build: Architecture) -> Outcome:
    """In evaluation mode it gives each image the same logits, alone and in any batch"""
    network, images, _ = _in_training(build)
    with torch.no_grad():
        network(images)  # so that running statistics are not those of the beginning
        network.eval()
        together, again = network(images), network(images)
        alone = torch.cat([network(image.unsqueeze(0)) for image in images])
    if not torch.equal(together, again):
        return False, "two passes differ"
    error, scale = float((together - alone).abs().max()), float(together.abs().max())
    return error <= TOLERANCE * scale, f"largest difference {error:.1e} of {scale:.1e}"


def _arguments(build: Architecture) -> Outcome:
    """It does not write into its images"""
    network, images, _ = _in_training(build)
    given = images.clone()
    torch.autograd.backward(network(given).sum())
    network.eval()(given)
    unchanged = torch.equal(given, images)
    return unchanged, "unchanged" if unchanged else "written to"


def _stack(build: Architecture) -> Outcome:
    """Several of its networks can be trained as one batched model, if it says so"""
    if not declares_stackable(build):
        return None, "it does not declare `stackable = True`: its cells are trained alone"
    _, shape, classes = _first(build)
    networks = [_built(build, shape, classes, seed=seed) for seed in range(3)]
    try:
        require_same_logits(networks, StackedNetwork(networks), _images(shape))
    except StackError as error:
        return False, str(error)
    return True, "stacked logits are those of its networks alone"


CHECKS: tuple[Callable[[Architecture], Outcome], ...] = (
    _shapes,
    _gradient,
    _weights,
    _evaluation,
    _arguments,
    _stack,
)
"""Each by the first line of its docstring, which is what a finding is called."""


def _built(
    build: Architecture, shape: tuple[int, int, int], classes: int, *, seed: int = SEED
) -> nn.Module:
    return build(shape, classes, torch.Generator().manual_seed(seed))


def _first(build: Architecture) -> tuple[str, tuple[int, int, int], int]:
    """What is tried for all other properties: CIFAR-100 if that fits, else the first that does."""
    for name, shape, classes in (SHAPES[1], SHAPES[0], SHAPES[2]):
        try:
            _built(build, shape, classes)
        except ParameterError:
            continue
        return name, shape, classes
    raise ParameterError("it fits none of the shapes that are tried")


def _in_training(build: Architecture) -> tuple[nn.Module, Tensor, Tensor]:
    """A network in training mode, images and labels."""
    _, shape, classes = _first(build)
    images = _images(shape)
    labels = torch.arange(len(images)) % classes
    return _built(build, shape, classes).train(), images, labels


def _images(shape: tuple[int, int, int]) -> Tensor:
    """Float32 [4, C, H, W]."""
    return torch.randn(4, *shape, generator=torch.Generator().manual_seed(SEED))


def _tensors(network: nn.Module) -> Iterator[Tensor]:
    yield from network.parameters()
    yield from network.buffers()


def _memory(network: nn.Module) -> set[int]:
    return {tensor.data_ptr() for tensor in _tensors(network) if tensor.numel()}


def _are_equal(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(_tensors(one), _tensors(other), strict=True)
    return all(torch.equal(*pair) for pair in pairs)
