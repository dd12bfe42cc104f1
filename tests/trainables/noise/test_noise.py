"""Drawn label noise: rates, maps, nesting, exact counts."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.config import Choice
from trainables.datasets import DatasetInfo, dataset_info
from trainables.noise import NOISES, NoiseContext
from trainables.noise.measure import labels_sha256, realized_rate, transition_matrix
from trainables.noise.stratify import stratified
from trainables.registry import ParameterError
from trainables.seeding import generator

TRUE = torch.arange(20_000) % 10
CIFAR10 = dataset_info(Choice("cifar10"))
CIFAR100 = dataset_info(Choice("cifar100"))
SWAP = tuple(tuple(float(j == (k ^ 1)) for j in range(10)) for k in range(10))


def corrupt(
    kind: str,
    labels: torch.Tensor = TRUE,
    dataset: DatasetInfo = CIFAR10,
    seed: int = 0,
    **parameters,
) -> torch.Tensor:
    context = NoiseContext(dataset, generator(seed, "noise"), Path())
    return NOISES.build(Choice.of(kind, **parameters))(labels, context)


def matrix_of(given_labels: torch.Tensor, true: torch.Tensor = TRUE, num_classes: int = 10):
    return torch.tensor(transition_matrix(true, given_labels, num_classes), dtype=torch.float64)


def test_symmetric_noise_without_the_true_class() -> None:
    given_labels = corrupt("symmetric", rate=0.4)
    assert realized_rate(TRUE, given_labels) == pytest.approx(0.4, abs=0.015)
    matrix = matrix_of(given_labels)
    assert torch.allclose(matrix.diagonal(), torch.full((10,), 0.6).double(), atol=0.05)
    wrong = matrix[~torch.eye(10, dtype=torch.bool)]
    assert torch.allclose(wrong, torch.full((90,), 0.4 / 9).double(), atol=0.02)


def test_symmetric_noise_with_the_true_class() -> None:
    given_labels = corrupt("symmetric", rate=0.4, include_true_class=True)
    assert realized_rate(TRUE, given_labels) == pytest.approx(0.36, abs=0.015)
    uniform = matrix_of(corrupt("symmetric", rate=1, include_true_class=True))
    assert torch.allclose(uniform, torch.full((10, 10), 0.1).double(), atol=0.03)


def test_symmetric_noise_of_two_classes_swaps_them() -> None:
    labels = torch.tensor([0, 1, 1, 0])
    two = replace(CIFAR10, num_classes=2)
    assert corrupt("symmetric", labels, two, rate=1).tolist() == [1, 0, 0, 1]


@settings(max_examples=30, deadline=None)
@given(
    low=st.floats(0, 1),
    high=st.floats(0, 1),
    seed=st.integers(0, 1000),
    exact=st.booleans(),
    kind=st.sampled_from(["symmetric", "asymmetric"]),
)
def test_noisy_sets_are_nested(low: float, high: float, seed: int, exact: bool, kind: str) -> None:
    low, high = sorted((low, high))
    fewer, more = (corrupt(kind, seed=seed, rate=rate, exact=exact) for rate in (low, high))
    assert ((fewer == TRUE) | (fewer == more)).all()


@settings(max_examples=30, deadline=None)
@given(rate=st.floats(0, 1), sizes=st.lists(st.integers(0, 40), min_size=10, max_size=10))
def test_exact_counts_hold_in_every_class(rate: float, sizes: list[int]) -> None:
    labels = torch.arange(10).repeat_interleave(torch.tensor(sizes))
    labels = labels[torch.randperm(len(labels), generator=generator(1, "order"))]
    given_labels = corrupt("symmetric", labels, rate=rate, exact=True)
    wrong = torch.zeros(10).index_add(0, labels, (given_labels != labels).float())
    assert (wrong - rate * torch.tensor(sizes)).abs().max() <= 0.5 + 1e-4


def test_an_exact_count_is_spread_at_random_over_a_class() -> None:
    first, second = (corrupt("symmetric", seed=seed, rate=0.5, exact=True) for seed in (0, 1))
    both = ((first != TRUE) & (second != TRUE)).double().mean()
    assert both == pytest.approx(0.25, abs=0.02)


def test_stratified_draws_keep_their_order() -> None:
    draws = torch.tensor([0.3, 0.9, 0.1, 0.2])
    labels = torch.tensor([0, 0, 0, 7])
    assert stratified(draws, labels).tolist() == pytest.approx([3 / 6, 5 / 6, 1 / 6, 1 / 2])


@pytest.mark.parametrize("exact", [False, True])
def test_asymmetric_noise_follows_the_map_of_the_data_set(exact: bool) -> None:
    matrix = matrix_of(corrupt("asymmetric", rate=0.3, exact=exact))
    similar = {9: 1, 2: 0, 4: 7, 3: 5, 5: 3}
    for true in range(10):
        if true in similar:
            tolerance = 1e-12 if exact else 0.05
            assert float(matrix[true][similar[true]]) == pytest.approx(0.3, abs=tolerance)
        else:
            assert matrix[true][true] == 1


def test_per_run_noise_moves_all_classes_or_none() -> None:
    outcomes = [corrupt("asymmetric", seed=seed, rate=0.5, per_run=True) for seed in range(20)]
    relabelled = [labels for labels in outcomes if not torch.equal(labels, TRUE)]
    assert 0 < len(relabelled) < 20
    for labels in relabelled:
        # Cat turns into dog, then all dogs into cat: one class of the pair is left.
        assert [int(k) for k in labels[:10]] == [0, 1, 0, 3, 7, 3, 6, 7, 8, 1]
        assert realized_rate(TRUE, labels) == pytest.approx(0.4)


def test_per_run_noise_of_rate_one_is_certain() -> None:
    assert all(
        not torch.equal(corrupt("asymmetric", seed=seed, rate=1, per_run=True), TRUE)
        for seed in range(5)
    )


def test_groups_of_cifar100_are_superclasses_or_neighbours() -> None:
    labels = torch.arange(100)
    next_in_superclass = corrupt("asymmetric", labels, CIFAR100, rate=1)
    coarse = torch.tensor(CIFAR100.superclasses)
    assert torch.equal(coarse[next_in_superclass], coarse)
    assert (next_in_superclass != labels).all()
    next_neighbour = corrupt("asymmetric", labels, CIFAR100, rate=1, groups="consecutive")
    assert next_neighbour[:10].tolist() == [1, 2, 3, 4, 0, 6, 7, 8, 9, 5]
    assert torch.equal(next_neighbour.sort().values, labels)


def test_matrix_noise_realizes_its_matrix() -> None:
    rows = torch.rand(10, 10, generator=generator(3, "noise"), dtype=torch.float64)
    rows[2, 9] = rows[5, 0] = 0
    rows /= rows.sum(dim=1, keepdim=True)
    matrix = tuple(tuple(row) for row in rows.tolist())
    drawn = matrix_of(corrupt("matrix", matrix=matrix))
    assert torch.allclose(drawn, rows, atol=0.05)
    assert drawn[2, 9] == drawn[5, 0] == 0
    exact = matrix_of(corrupt("matrix", matrix=matrix, exact=True))
    assert (exact - rows).abs().max() <= 1 / 2000 + 1e-12


def test_a_permutation_matrix_is_certain() -> None:
    assert torch.equal(corrupt("matrix", matrix=SWAP), TRUE ^ 1)


def test_rounded_rows_are_accepted_and_others_named() -> None:
    thirds = replace(CIFAR10, num_classes=3)
    rounded = ((0.3333333, 0.3333333, 0.3333333),) * 3
    assert corrupt("matrix", TRUE % 3, thirds, matrix=rounded).max() == 2
    with pytest.raises(ParameterError, match=r"row 1 of 'matrix' sums to 0\.9, not 1") as caught:
        NOISES.build(Choice.of("matrix", matrix=((0.5, 0.5), (0.4, 0.5))))
    assert caught.value.key == "matrix"


@pytest.mark.parametrize(
    ("kind", "parameters", "key", "message"),
    [
        ("matrix", {"matrix": ()}, "matrix", "square"),
        ("matrix", {"matrix": ((1.0,), (1.0,))}, "matrix", "square"),
        ("matrix", {"matrix": ((1.5, -0.5), (0.0, 1.0))}, "matrix", r"must lie in \[0, 1\]"),
        ("matrix", {"matrix": ((1, 0), (0, 1))}, "matrix", "2 rows, data set cifar10 has 10"),
        ("symmetric", {"rate": 1.2}, "rate", r"must lie in \[0, 1\]"),
        ("asymmetric", {"rate": 0.2, "exact": True, "per_run": True}, "exact", "exclude"),
        ("asymmetric", {"rate": 0.2, "groups": "consecutive"}, "groups", "no superclasses"),
        ("asymmetric", {"rate": 0.2, "groups": "neighbours"}, "groups", "must be one of"),
    ],
)
def test_what_cannot_be_is_refused(kind: str, parameters, key: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message) as caught:
        corrupt(kind, **parameters)
    assert caught.value.key == key


def test_a_data_set_without_a_map_is_refused() -> None:
    with pytest.raises(ParameterError, match="cifar10 has no similar classes"):
        corrupt("asymmetric", dataset=replace(CIFAR10, similar_classes={}), rate=0.1)


def test_the_digest_is_that_of_little_endian_int64() -> None:
    expected = hashlib.sha256(b"\1" + b"\0" * 7 + b"\2" + b"\0" * 7).hexdigest()
    assert labels_sha256(torch.tensor([1, 2])) == expected


def test_the_measured_matrix_counts_by_true_class() -> None:
    true, given_labels = torch.tensor([0, 0, 0, 2]), torch.tensor([0, 1, 1, 2])
    assert transition_matrix(true, given_labels, 3) == (
        (pytest.approx(1 / 3), pytest.approx(2 / 3), 0.0),
        (0.0, 0.0, 0.0),
        (0.0, 0.0, 1.0),
    )
    assert realized_rate(true, given_labels) == 0.5
