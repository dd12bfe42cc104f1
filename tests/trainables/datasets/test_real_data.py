"""The published files themselves, where `ORCHESTRATOR_DATA` has them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from trainables.config import Choice
from trainables.datasets import dataset_info, load_dataset, locate

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("ORCHESTRATOR_DATA" not in os.environ, reason="needs the published files"),
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def cache_elsewhere(no_outside_world: None, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_CACHE", str(cache))


def data_root_with(choice: Choice) -> Path:
    data_root = Path(os.environ["ORCHESTRATOR_DATA"])
    if locate(choice, data_root).missing:
        pytest.skip(f"{choice.name} is not in {data_root}")
    return data_root


@pytest.mark.parametrize("name", ["fashion-mnist", "mnist", "cifar10", "cifar100"])
def test_declared_statistics_are_those_of_the_images(name: str) -> None:
    choice = Choice(name)
    _, arrays = load_dataset(choice, data_root_with(choice))
    info = dataset_info(choice)
    assert (np.ptp(np.bincount(arrays.train_labels)) == 0) or name == "mnist"
    for channel in range(info.image_shape[0]):
        scaled = arrays.train_images[..., channel] / 255
        assert scaled.mean() == pytest.approx(info.mean[channel], abs=1e-4)
        assert scaled.std() == pytest.approx(info.std[channel], abs=1e-4)


def test_decoded_cifar10_has_the_published_pixels() -> None:
    choice = Choice("cifar10")
    _, arrays = load_dataset(choice, data_root_with(choice))
    assert hashlib.sha256(arrays.train_images.tobytes()).hexdigest().startswith("47af8b02cfcfb6cd")
    assert hashlib.sha256(arrays.test_images.tobytes()).hexdigest().startswith("f9b1e2130bab680d")


def test_a_subset_of_cifar100_reads_as_a_parquet_folder() -> None:
    choice = Choice.of("parquet", path="cifar100-subset", like="cifar100")
    info, arrays = load_dataset(choice, data_root_with(choice))
    assert len(arrays.train_labels) == 12_500 and len(arrays.test_labels) == 2_500
    assert list(np.bincount(arrays.train_labels)) == [125] * 100
    scaled = arrays.train_images / np.float32(255)
    np.testing.assert_allclose(scaled.mean(axis=(0, 1, 2)), info.mean, atol=0.01)
