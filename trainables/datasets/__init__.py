"""Data sets: what is known about each, and how its arrays come from the data root.

A data set is a registered class with an `info` and a `load`; the arrays are plain NumPy (memory
mapped where they are large), so nothing here needs torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trainables.registry import Registry


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


DATASETS: Registry[Dataset] = Registry(
    "data set",
    {
        "fashion-mnist-small": "trainables.datasets.shipped",
        "fashion-mnist": "trainables.datasets.mnist",
        "mnist": "trainables.datasets.mnist",
        "cifar10": "trainables.datasets.cifar",
        "cifar100": "trainables.datasets.cifar",
    },
    group="orchestrator.datasets",
)
