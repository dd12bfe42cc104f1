"""What every registered architecture promises, the ones added tomorrow included."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from trainables.architectures import ARCHITECTURES
from trainables.config import Choice

NEEDED = {
    "mlp": {"hidden": (32, 16)},
    "resnet50": {"stem": "small"},
    "timm": {"model": "resnet10t"},
}
"""Parameters of those that cannot be had without any."""

QUICK = {"mlp", "mlp1024", "resnet20", "resnet18", "googlenet_bn"}
"""Those that take little time; the others run with the slow tests."""

SAME_CODE = {"wide_resnet101_2", "wrn28_10", "preact_resnet34", "resnet44", "resnet110"}
"""Larger forms of a network that is tried as well: `make extensive`."""


def marks(name: str) -> list[pytest.MarkDecorator]:
    if name in SAME_CODE:
        return [pytest.mark.extensive]
    return [] if name in QUICK else [pytest.mark.slow]


CHOICES = [
    pytest.param(Choice.of(name, NEEDED.get(name, {})), marks=marks(name), id=name)
    for name in ARCHITECTURES.names()
]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Tiny batches gain nothing from a second thread and wait for it where cores are busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def build(choice: Choice, shape=(3, 32, 32), num_classes: int = 10, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    return ARCHITECTURES.build(choice)(shape, num_classes, generator)


def images(count: int, shape=(3, 32, 32)) -> torch.Tensor:
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("choice", CHOICES)
def test_weights_depend_on_the_generator_alone(choice: Choice) -> None:
    before = torch.get_rng_state()
    first = build(choice)
    torch.rand(3)
    second, other = build(choice), build(choice, seed=1)
    again = second.state_dict()
    for name, value in first.state_dict().items():
        assert value.device.type == "cpu" and value.isfinite().all(), name
        assert torch.equal(value, again[name]), name
    assert not torch.equal(next(first.parameters()), next(other.parameters()))
    torch.set_rng_state(before)
    build(choice)
    assert torch.equal(before, torch.get_rng_state()), "the global random state was used"


@pytest.mark.parametrize("choice", CHOICES)
def test_gradients_reach_every_parameter(choice: Choice) -> None:
    network = build(choice).train()
    logits = network(images(4))
    assert logits.shape == (4, 10) and logits.dtype == torch.float32
    torch.nn.functional.cross_entropy(logits, torch.arange(4)).backward()
    for name, parameter in network.named_parameters():
        assert parameter.requires_grad and parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    assert any(parameter.grad.any() for parameter in network.parameters())


@pytest.mark.parametrize("choice", CHOICES)
def test_evaluation_is_finite_and_takes_each_image_alone(choice: Choice) -> None:
    network = build(choice).eval()
    with torch.no_grad():
        together = network(images(3))
        alone = torch.cat([network(image[None]) for image in images(3)])
    assert together.isfinite().all()
    scale = float(together.abs().max())
    assert torch.allclose(together, alone, rtol=1e-3, atol=1e-4 * scale)


@pytest.mark.parametrize("choice", CHOICES)
def test_grey_images_and_other_class_counts(choice: Choice) -> None:
    network = build(choice, shape=(1, 28, 28), num_classes=7).eval()
    with torch.no_grad():
        assert network(images(2, (1, 28, 28))).shape == (2, 7)
