"""Label noise: rates, maps, nesting, pairing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.config import Choice
from trainables.datasets import dataset_info
from trainables.noise import NOISES, NoiseContext
from trainables.noise.measure import labels_sha256, realized_rate, transition_matrix
from trainables.registry import ParameterError
from trainables.seeding import generator

TRUE = torch.arange(20_000) % 10


def corrupt(kind: str, seed: int = 0, dataset: str = "cifar10", **parameters) -> torch.Tensor:
    context = NoiseContext(dataset_info(Choice(dataset)), generator(seed, "noise"), Path())
    return NOISES.build(Choice.of(kind, **parameters))(TRUE, context)


def test_symmetric_noise_without_the_true_class() -> None:
    given_labels = corrupt("symmetric", rate=0.4)
    assert realized_rate(TRUE, given_labels) == pytest.approx(0.4, abs=0.015)
    matrix = torch.tensor(transition_matrix(TRUE, given_labels, 10), dtype=torch.float64)
    assert torch.allclose(matrix.diagonal(), torch.full((10,), 0.6).double(), atol=0.05)
    wrong = matrix[~torch.eye(10, dtype=torch.bool)]
    assert torch.allclose(wrong, torch.full((90,), 0.4 / 9).double(), atol=0.02)


def test_symmetric_noise_with_the_true_class() -> None:
    given_labels = corrupt("symmetric", rate=0.4, include_true_class=True)
    assert realized_rate(TRUE, given_labels) == pytest.approx(0.36, abs=0.015)


@settings(max_examples=30, deadline=None)
@given(low=st.floats(0, 1), high=st.floats(0, 1), seed=st.integers(0, 1000))
def test_noisy_sets_are_nested_and_labels_valid(low: float, high: float, seed: int) -> None:
    low, high = sorted((low, high))
    fewer, more = (corrupt("symmetric", seed, rate=rate) for rate in (low, high))
    assert ((fewer != TRUE) <= (more != TRUE)).all()
    assert more.min() >= 0 and more.max() < 10
    assert torch.equal(more, corrupt("symmetric", seed, rate=high))


def test_asymmetric_noise_follows_the_map_of_the_data_set() -> None:
    given_labels = corrupt("asymmetric", rate=0.3)
    matrix = transition_matrix(TRUE, given_labels, 10)
    similar = {9: 1, 2: 0, 4: 7, 3: 5, 5: 3}
    for true in range(10):
        if true in similar:
            assert matrix[true][similar[true]] == pytest.approx(0.3, abs=0.05)
        else:
            assert matrix[true][true] == 1


def test_per_run_noise_moves_whole_classes_or_none() -> None:
    seen = set()
    for seed in range(20):
        matrix = transition_matrix(TRUE, corrupt("asymmetric", seed, rate=0.5, per_run=True), 10)
        shares = {value for row in matrix for value in row}
        assert shares <= {0.0, 1.0}
        seen.add(matrix[9][1])
    assert seen == {0.0, 1.0}


def test_a_data_set_without_a_map_is_refused() -> None:
    context = NoiseContext(
        dataset_info(Choice("fashion-mnist")).__class__(
            "bare", 10, (1, 28, 28), (0.5,), (0.5,), tuple("0123456789")
        ),
        generator(0, "noise"),
        Path(),
    )
    with pytest.raises(ParameterError, match="no similar classes"):
        NOISES.build(Choice.of("asymmetric", rate=0.1))(TRUE, context)


def test_the_digest_is_that_of_little_endian_int64() -> None:
    import hashlib

    assert (
        labels_sha256(torch.tensor([1, 2]))
        == hashlib.sha256(b"\1" + b"\0" * 7 + b"\2" + b"\0" * 7).hexdigest()
    )
