"""The stand-in: shape and facts of another data set, learnable, always the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trainables.config import Choice
from trainables.datasets import dataset_info, load_dataset
from trainables.registry import ComponentError


@pytest.mark.parametrize("like", ["cifar10", "cifar100", "fashion-mnist", "mnist"])
def test_it_has_the_facts_of_what_it_is_like(like: str) -> None:
    original = dataset_info(Choice(like))
    info, arrays = load_dataset(Choice.of("synthetic", like=like, images=200), Path())
    channels, height, width = original.image_shape
    assert arrays.train_images.shape == (200, height, width, channels)
    assert arrays.test_images.shape == (100, height, width, channels)
    assert info.similar_classes == original.similar_classes
    assert info.superclasses == original.superclasses
    assert (info.num_classes, info.mean, info.std) == (
        original.num_classes,
        original.mean,
        original.std,
    )


def test_every_class_is_in_both_splits() -> None:
    _, arrays = load_dataset(Choice.of("synthetic", like="cifar100", images=256), Path())
    assert set(arrays.train_labels) == set(arrays.test_labels) == set(range(100))


def test_it_is_the_same_each_time_and_test_images_are_not_training_images() -> None:
    choice = Choice.of("synthetic", like="mnist", images=64)
    (_, first), (_, second) = load_dataset(choice, Path()), load_dataset(choice, Path())
    np.testing.assert_array_equal(first.train_images, second.train_images)
    np.testing.assert_array_equal(first.test_images, second.test_images)
    training = {image.tobytes() for image in first.train_images}
    assert not training & {image.tobytes() for image in first.test_images}


def test_a_nearest_mean_classifier_learns_it() -> None:
    _, arrays = load_dataset(Choice.of("synthetic", like="fashion-mnist", images=200), Path())
    train = arrays.train_images.reshape(200, -1) / 255
    means = np.stack([train[arrays.train_labels == k].mean(axis=0) for k in range(10)])
    test = arrays.test_images.reshape(100, -1) / 255
    distances = ((test[:, None] - means) ** 2).sum(axis=-1)
    assert (distances.argmin(axis=1) == arrays.test_labels).mean() > 0.95


def test_common_sizes_cut_it() -> None:
    choice = Choice.of("synthetic", like="mnist", images=100, train_size=20, test_size=10)
    _, arrays = load_dataset(choice, Path())
    assert (len(arrays.train_labels), len(arrays.test_labels)) == (20, 10)


def test_an_unknown_model_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(ComponentError) as caught:
        dataset_info(Choice.of("synthetic", like="cifar-10"))
    assert caught.value.nearest == "cifar10"
