"""What every data set gets from `load_dataset`: stratified cuts, statistics, checks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables import datasets
from trainables.config import Choice
from trainables.datasets import (
    DatasetError,
    DatasetInfo,
    ImageArrays,
    Presence,
    default_data_root,
    load_dataset,
)
from trainables.registry import ParameterError

INFO = DatasetInfo("given", 3, (2, 2, 2), (0.5, 0.5), (0.1, 0.1), ("a", "b", "c"))


def given_arrays(count: int = 12, num_classes: int = 3) -> ImageArrays:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 2, 2, 2), dtype=np.uint8)
    labels = rng.permutation(np.arange(count) % num_classes).astype(np.int64)
    return ImageArrays(images, labels, images.copy(), labels.copy())


class Given:
    """A data set of arrays that a test hands over."""

    arrays: ImageArrays
    info: DatasetInfo

    def load(self, data_root: Path) -> ImageArrays:
        return self.arrays

    def locate(self, data_root: Path) -> Presence:
        return Presence()


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch):
    """Offer arrays as the data set `given` for the length of one test."""

    def offer(arrays: ImageArrays, info: DatasetInfo = INFO) -> None:
        monkeypatch.setattr(datasets.DATASETS, "_components", {})
        monkeypatch.setattr(Given, "arrays", arrays, raising=False)
        monkeypatch.setattr(Given, "info", info, raising=False)
        datasets.DATASETS.register("given")(Given)

    return offer


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.data())
def test_subset_has_the_size_asked_for_and_even_classes(labels: list[int], data) -> None:
    values = np.array(labels, dtype=np.int64)
    size = data.draw(st.integers(1, len(values)))
    chosen = np.arange(len(values))[datasets._evenly(values, Choice.of("x", n=size), "n")]
    assert len(chosen) == size
    assert (np.diff(chosen) > 0).all()
    kept, available = np.bincount(values[chosen], minlength=4), np.bincount(values, minlength=4)
    # No class has two more than another one that still had images to give.
    assert all(kept.max() - kept[k] <= 1 for k in range(4) if kept[k] < available[k])
    smaller = datasets._evenly(values, Choice.of("x", n=max(1, size - 1)), "n")
    assert set(np.arange(len(values))[smaller]) <= set(chosen)


def test_subset_takes_the_first_images_of_each_class() -> None:
    labels = np.array([0, 0, 1, 0, 1, 1])
    assert list(datasets._evenly(labels, Choice.of("x", n=4), "n")) == [0, 1, 2, 4]


def test_both_splits_are_cut_apart(register) -> None:
    register(given_arrays())
    _, arrays = load_dataset(Choice.of("given", train_size=6, test_size=3), Path())
    assert list(np.bincount(arrays.train_labels)) == [2, 2, 2]
    assert list(np.bincount(arrays.test_labels)) == [1, 1, 1]
    assert len(arrays.train_images) == 6 and len(arrays.test_images) == 3


def test_images_stay_with_their_labels(register) -> None:
    whole = given_arrays()
    register(whole)
    _, arrays = load_dataset(Choice.of("given", train_size=5), Path())
    assert labelled_images(arrays) < labelled_images(whole)


def labelled_images(arrays: ImageArrays) -> set[tuple[bytes, int]]:
    pairs = zip(arrays.train_images, arrays.train_labels, strict=True)
    return {(image.tobytes(), int(label)) for image, label in pairs}


def test_asking_for_more_than_there_is_names_the_parameter(register) -> None:
    register(given_arrays(12))
    with pytest.raises(ParameterError, match="12 images") as caught:
        load_dataset(Choice.of("given", test_size=13), Path())
    assert caught.value.key == "test_size"


def test_statistics_come_from_the_training_images_where_none_are_known(register) -> None:
    arrays = given_arrays()
    register(arrays, replace(INFO, mean=(), std=()))
    info, _ = load_dataset(Choice.of("given", train_size=3), Path())
    scaled = arrays.train_images / 255
    np.testing.assert_allclose(info.mean, scaled.mean(axis=(0, 1, 2)))
    np.testing.assert_allclose(info.std, scaled.std(axis=(0, 1, 2)))


def test_known_statistics_stay(register) -> None:
    register(given_arrays())
    assert load_dataset(Choice("given"), Path())[0].mean == (0.5, 0.5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"train_labels": np.full(12, 3)}, "labels run from 3 to 3"),
        ({"test_labels": np.full(12, -1)}, "labels run from -1"),
        ({"train_labels": np.zeros(11, np.int64)}, "12 training images, 11 labels"),
        ({"test_images": np.zeros((12, 2, 3, 2), np.uint8)}, "test images are"),
    ],
)
def test_arrays_that_contradict_the_facts_are_refused(register, change, words) -> None:
    register(replace(given_arrays(), **change))
    with pytest.raises(DatasetError, match=words):
        load_dataset(Choice("given"), Path())


def test_a_class_that_is_only_tested_is_an_error(register) -> None:
    register(replace(given_arrays(), train_labels=np.zeros(12, np.int64)))
    with pytest.raises(DatasetError, match=r"test images of class 1 \(b\) and 1 more classes, of"):
        load_dataset(Choice("given"), Path())


def test_names_that_the_files_have_replace_those_of_the_facts(register) -> None:
    register(replace(given_arrays(), class_names=("x", "y", "z")))
    assert load_dataset(Choice.of("given", train_size=3), Path())[0].class_names == ("x", "y", "z")
    register(given_arrays())
    assert load_dataset(Choice("given"), Path())[0].class_names == ("a", "b", "c")


def test_data_root_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_DATA", "/somewhere")
    assert default_data_root() == Path("/somewhere")
    monkeypatch.delenv("ORCHESTRATOR_DATA")
    assert default_data_root().is_relative_to(Path.home())
