"""Every built-in architecture passes what is asked of a plug-in, and each check can fail."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

from trainables.architectures import ARCHITECTURES, Architecture
from trainables.config import Choice
from trainables.registry import ParameterError
from trainables.theory.architecture_contract import check_architecture
from trainables.theory.loss_contract import Finding

NEEDED = {
    "mlp": {"hidden": (32, 16)},
    "resnet50": {"stem": "small"},
    "timm": {"model": "resnet10t"},
}
QUICK = {"mlp", "resnet20"}


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def findings(build: Architecture) -> dict[str, Finding]:
    return {finding.name: finding for finding in check_architecture(build)}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow])
        for name in ARCHITECTURES.names()
    ],
)
def test_a_built_in_architecture_keeps_every_contract(name: str) -> None:
    build = ARCHITECTURES.build(Choice.of(name, NEEDED.get(name, {})))
    assert not [item for item in check_architecture(build) if item.passed is False]


def linear(inputs: int, outputs: int, generator: torch.Generator) -> nn.Linear:
    layer = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")
    nn.init.xavier_uniform_(layer.weight, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


def sound(shape, num_classes, generator) -> nn.Module:
    return nn.Sequential(nn.Flatten(), linear(math.prod(shape), num_classes, generator))


class Wrapped(nn.Module):
    """A linear network with something before and after."""

    def __init__(self, shape, num_classes, generator) -> None:
        super().__init__()
        self.inner = sound(shape, num_classes, generator)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.inner(images)
        return logits


class Scalar(Wrapped):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images)[:, 0]


class Double(Wrapped):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images).double()


class Dead(Wrapped):
    def __init__(self, shape, num_classes, generator) -> None:
        super().__init__(shape, num_classes, generator)
        self.unused = nn.Parameter(torch.zeros(3))


class OfTheBatch(Wrapped):
    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images - images.mean(dim=0))


class Random(Wrapped):
    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.dropout(super().forward(images))


class Writing(Wrapped):
    def forward(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            images.mul_(2)
        return super().forward(images)


class Patching(Wrapped):
    def forward(self, images: Tensor) -> Tensor:
        torch.set_flush_denormal(True)
        return super().forward(images)


def unseeded(shape, num_classes, generator) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), num_classes))


def constant(shape, num_classes, generator) -> nn.Module:
    return sound(shape, num_classes, torch.Generator().manual_seed(0))


KEPT: dict[object, nn.Module] = {}


def shared(shape, num_classes, generator) -> nn.Module:
    return KEPT.setdefault((shape, num_classes), sound(shape, num_classes, generator))


def no_module(shape, num_classes, generator) -> Callable[[Tensor], Tensor]:
    return lambda images: images.flatten(1)[:, :num_classes]


def never(shape, num_classes, generator) -> nn.Module:
    raise ParameterError("fits no images")


class SaysSo(Wrapped):
    """Is no chain of layers."""

    stackable = True


@pytest.mark.parametrize(
    ("build", "name", "detail"),
    [
        (Scalar, "A module that gives logits", "CIFAR-100: [4] torch.float32"),
        (Double, "A module that gives logits", "torch.float64"),
        (no_module, "A module that gives logits", "a function is no nn.Module"),
        (never, "A module that gives logits", "refused (fits no images)"),
        (Dead, "The gradient reaches", "not unused"),
        (unseeded, "Initial weights", "global random numbers"),
        (constant, "Initial weights", "unequal generators give equal weights"),
        (shared, "Initial weights", "share their weights"),
        (OfTheBatch, "In evaluation mode", "largest difference"),
        (Random, "In evaluation mode", "two passes differ"),
        (Writing, "It does not write", "written to"),
        (Patching, "It leaves torch's global state", "flushing of denormal numbers"),
        (SaysSo, "Several of its networks", "a SaysSo is not a plain nn.Sequential"),
    ],
)
def test_a_breach_is_found(build: Architecture, name: str, detail: str) -> None:
    found = next(item for key, item in findings(build).items() if key.startswith(name))
    assert found.passed is False
    assert detail in found.detail


def test_a_sound_one_passes_and_need_not_be_stackable() -> None:
    found = findings(sound)
    assert not [item for item in found.values() if item.passed is False]
    stack = found["Several of its networks can be trained as one batched model, if it says so"]
    assert stack.passed is None
