"""Data sets: what is known about each, and how its arrays come from the data root.

A data set is a registered class with an `info` and a `load`; the arrays are plain NumPy (memory
mapped where they were decoded once), so nothing here needs torch.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trainables.config import Choice
from trainables.registry import Parameter, Range, Registry


@dataclass(frozen=True)
class DatasetInfo:
    """Facts about a data set that hold whether or not its files are here.

    Args:
        name: registered name.
        num_classes: K.
        image_shape: (channels, height, width).
        mean, std: per-channel statistics of the training images scaled to [0, 1].
        class_names: K names.
        similar_classes: class → the class its images are mistaken for, the map of asymmetric noise
            as the literature draws it for this data set; empty if there is none.
        superclasses: K superclass indices, empty if there are none.
    """

    name: str
    num_classes: int
    image_shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    class_names: tuple[str, ...]
    similar_classes: Mapping[int, int] = field(default_factory=dict)
    superclasses: tuple[int, ...] = ()


@dataclass(frozen=True)
class ImageArrays:
    """Images uint8 [N, H, W, C] and labels int64 [N] of both splits."""

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]


class Dataset(Protocol):
    """One data set; `load` raises DatasetError, which says what to put where."""

    @property
    def info(self) -> DatasetInfo: ...

    def load(self, data_root: Path) -> ImageArrays: ...


class DatasetError(Exception):
    """Files of a data set are missing or damaged; the text says what to do."""


SUBSET = (
    Parameter("train_size", int | None, None, Range(1)),
    Parameter("test_size", int | None, None, Range(1)),
)
"""Taken by every data set: images kept of each split, the same number of each class."""

DATASETS: Registry[Dataset] = Registry(
    "data set",
    {
        "fashion-mnist-small": "trainables.datasets.fashion_subset",
        "fashion-mnist": "trainables.datasets.mnist",
        "mnist": "trainables.datasets.mnist",
        "cifar10": "trainables.datasets.cifar",
        "cifar100": "trainables.datasets.cifar",
        "synthetic": "trainables.datasets.synthetic",
    },
    common=SUBSET,
    group="orchestrator.datasets",
)


def load_dataset(choice: Choice, data_root: Path) -> tuple[DatasetInfo, ImageArrays]:
    """Facts and arrays of a data set, cut to `train_size` and `test_size` if the choice has them.

    Raises:
        DatasetError: files are missing or damaged.
        ComponentError: no such data set or parameter.
    """
    dataset = DATASETS.build(choice)
    arrays = dataset.load(data_root)
    train = _first_of_each_class(arrays.train_labels, choice.get("train_size"))
    test = _first_of_each_class(arrays.test_labels, choice.get("test_size"))
    return dataset.info, ImageArrays(
        arrays.train_images[train],
        arrays.train_labels[train],
        arrays.test_images[test],
        arrays.test_labels[test],
    )


def dataset_info(choice: Choice) -> DatasetInfo:
    """Facts of a data set, without its files. Raises ComponentError."""
    return DATASETS.build(choice).info


def default_data_root() -> Path:
    """`ORCHESTRATOR_DATA`, else a folder in the user's cache."""
    given = os.environ.get("ORCHESTRATOR_DATA")
    return Path(given) if given else Path.home() / ".cache" / "orchestrator" / "data"


def _first_of_each_class(labels: NDArray[np.int64], size: int | None) -> slice | NDArray[np.intp]:
    """Indices, in order, of a stratified subset of about `size` images; all if `size` is None."""
    if size is None or size >= len(labels):
        return slice(None)
    per_class = -(-size // (int(labels.max()) + 1))
    # Rank of each image within its class, in the order of the data set.
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(labels.max() + 1))
    ranks = np.empty(len(labels), dtype=np.int64)
    ranks[order] = np.arange(len(labels)) - starts[labels[order]]
    return np.flatnonzero(ranks < per_class)[:size]
