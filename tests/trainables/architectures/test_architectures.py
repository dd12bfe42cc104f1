"""Networks: parameter counts of the papers, weights from the generator alone."""

from __future__ import annotations

import pytest
import torch

from trainables.architectures import ARCHITECTURES
from trainables.config import Choice

COLOUR, GREY = (3, 32, 32), (1, 28, 28)


def build(name: str, shape=COLOUR, num_classes: int = 10, seed: int = 0, **parameters):
    network = ARCHITECTURES.build(Choice.of(name, **parameters))
    return network(shape, num_classes, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("name", "shape", "parameters", "count"),
    [
        ("resnet20", COLOUR, {}, 269_722),
        ("resnet32", COLOUR, {}, 464_154),
        ("resnet32", GREY, {}, 463_866),
        ("resnet44", COLOUR, {}, 658_586),
        ("resnet56", COLOUR, {}, 853_018),
        ("resnet110", COLOUR, {}, 1_727_962),
        ("resnet20", COLOUR, {"shortcut": "B"}, 272_474),
        ("resnet32", COLOUR, {"shortcut": "B"}, 466_906),
        ("resnet56", COLOUR, {"shortcut": "B"}, 855_770),
        ("mlp1024", COLOUR, {}, 3_939_338),
        ("mlp1024", GREY, {}, 1_596_426),
    ],
)
def test_parameter_counts(name: str, shape, parameters, count: int) -> None:
    network = build(name, shape, **parameters)
    assert sum(weight.numel() for weight in network.parameters()) == count
    assert network(torch.zeros(2, *shape)).shape == (2, 10)


@pytest.mark.parametrize("name", ["mlp1024", "resnet20"])
def test_weights_depend_on_the_generator_alone(name: str) -> None:
    before = torch.get_rng_state()
    first, second, other = build(name), build(name), build(name, seed=1)
    assert torch.equal(before, torch.get_rng_state())
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not torch.equal(next(first.parameters()), next(other.parameters()))
    assert all(value.isfinite().all() for value in first.state_dict().values())


def test_initial_weights_follow_the_papers() -> None:
    mlp = build("mlp1024", GREY)
    bound = (6 / (784 + 1024)) ** 0.5
    assert mlp[1].weight.abs().max() <= bound
    assert mlp[1].weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.01)
    assert not mlp[1].bias.any()
    resnet = build("resnet20")
    deviation = resnet.stages[-1].conv2.weight.std().item()
    assert deviation == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.02)
    assert not resnet.classifier.bias.any()
