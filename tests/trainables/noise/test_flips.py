"""Pair flips, and asymmetric noise that goes through the classes one after the other."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from trainables.config import Choice
from trainables.datasets import dataset_info
from trainables.noise import NOISES, NoiseContext
from trainables.registry import ParameterError

PER_CLASS = 5_000


def rows(kind: str, dataset: str = "cifar10", **parameters: object) -> torch.Tensor:
    """Shares of the given labels, a row for each true class."""
    info = dataset_info(Choice(dataset))
    labels = torch.arange(info.num_classes).repeat_interleave(PER_CLASS)
    context = NoiseContext(info, torch.Generator().manual_seed(0), Path())
    noisy = NOISES.build(Choice.of(kind, **parameters))(labels.clone(), context)
    counts = torch.zeros(info.num_classes, info.num_classes)
    counts.index_put_((labels, noisy), torch.ones(len(labels)), accumulate=True)
    return counts / PER_CLASS


def test_a_pair_flip_moves_each_class_to_the_next() -> None:
    found = rows("pair_flip", rate=0.45, exact=True)
    wanted = 0.55 * torch.eye(10) + 0.45 * torch.eye(10).roll(1, dims=1)
    torch.testing.assert_close(found, wanted)
    assert rows("pair_flip", rate=0.45)[0, 1] == pytest.approx(0.45, abs=0.03)


@pytest.mark.parametrize("rate", [0.1, 0.4])
def test_sequential_flips_have_the_rows_of_published_codes(rate: float) -> None:
    found = rows("asymmetric", rate=rate, sequential=True)
    cat, dog = 3, 5
    assert found[cat, cat] == pytest.approx(1 - rate + rate**2, abs=0.02)
    assert found[cat, dog] == pytest.approx(rate * (1 - rate), abs=0.02)
    assert found[dog, cat] == pytest.approx(rate, abs=0.02)
    assert found[9, 1] == pytest.approx(rate, abs=0.02)
    wrong = 1 - float(found.diagonal().mean())
    assert wrong == pytest.approx({0.1: 0.049, 0.4: 0.184}[rate], abs=0.004)


@pytest.mark.parametrize("other", ["exact", "per_run"])
def test_sequential_flips_are_one_way_of_several(other: str) -> None:
    with pytest.raises(ParameterError, match="exclude each other"):
        NOISES.build(Choice.of("asymmetric", rate=0.4, sequential=True, **{other: True}))
