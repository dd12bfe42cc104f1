"""Data sets: what is known about each, and how its arrays come from the data root.

A data set is a registered class with an `info`, a `load` and a `locate`; the arrays are plain NumPy
(memory mapped where they were decoded once), so nothing here needs torch. Knows no file format and
no network: each data set's own module does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from trainables.config import Choice
from trainables.registry import Parameter, ParameterError, Range, Registry

if TYPE_CHECKING:
    from trainables.datasets.image_files import ImageFiles


@dataclass(frozen=True)
class DatasetInfo:
    """Facts about a data set that hold whether or not its files are here.

    Args:
        name: registered name.
        num_classes: K.
        image_shape: (channels, height, width).
        mean, std: per-channel statistics of the training images scaled to [0, 1]; empty if they
            have to be taken from the images, as `load_dataset` then does.
        class_names: K names.
        similar_classes: class → the class its images are mistaken for, the map of asymmetric noise
            as the literature draws it for this data set; empty if there is none.
        superclasses: K superclass indices, empty if there are none.
        num_train, num_test: images of each split as published; None if the files decide.
        is_retrieval: test images are ranked by likeness, not classified.
        labels_are_true: whether the training labels are known to be true. Where they are not, as
            in images from the web, nobody knows how many labels are wrong, and nothing is measured
            against true ones.
        licence: under which its images may be used.
        origin: where it comes from: downloaded by itself, or how to get it.
        stands_for: name of the data set that drawn images stand in for; empty for a real one.
    """

    name: str
    num_classes: int
    image_shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    class_names: tuple[str, ...]
    similar_classes: Mapping[int, int] = field(default_factory=dict)
    superclasses: tuple[int, ...] = ()
    num_train: int | None = None
    num_test: int | None = None
    is_retrieval: bool = False
    labels_are_true: bool = True
    licence: str = ""
    origin: str = ""
    stands_for: str = ""


@dataclass(frozen=True)
class RetrievalSplit:
    """The tracklets that test images make, and which of them ask. int64 throughout.

    Args:
        identities, cameras: [T], of each tracklet; -1 is junk, 0 a distractor.
        queries: [Q], positions of the tracklets that are asked for among all others.
    """

    identities: NDArray[np.int64]
    cameras: NDArray[np.int64]
    queries: NDArray[np.int64]


@dataclass(frozen=True)
class ImageArrays:
    """Images uint8 [N, H, W, C], in memory or in files, and labels int64 [N] of both splits.

    A retrieval data set has a split of tracklets; its test labels are positions of tracklets.
    Names of the classes are given where only the files have them; they replace those of the info.
    """

    train_images: NDArray[np.uint8] | ImageFiles
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8] | ImageFiles
    test_labels: NDArray[np.int64]
    retrieval: RetrievalSplit | None = None
    class_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Presence:
    """Which files of a data set are here.

    Args:
        found: the files that a load would read.
        missing: names of the files that no accepted place holds; empty if all is here.
        accepted: what may be put where, one sentence per layout.
    """

    found: tuple[Path, ...] = ()
    missing: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()


class Dataset(Protocol):
    """One data set; `load` raises DatasetError, which says what to put where."""

    @property
    def info(self) -> DatasetInfo: ...

    def load(self, data_root: Path) -> ImageArrays: ...

    def locate(self, data_root: Path) -> Presence: ...


class DatasetError(Exception):
    """Files of a data set are missing or damaged; the text says what to do."""


SUBSET = (
    Parameter("train_size", int | None, None, Range(1)),
    Parameter("test_size", int | None, None, Range(1)),
)
"""Taken by every data set: images kept of each split, as evenly over the classes as can be."""

DATASETS: Registry[Dataset] = Registry(
    "data set",
    {
        "fashion-mnist-small": "trainables.datasets.fashion_subset",
        "fashion-mnist": "trainables.datasets.mnist",
        "mnist": "trainables.datasets.mnist",
        "cifar10": "trainables.datasets.cifar",
        "cifar100": "trainables.datasets.cifar",
        "clothing1m": "trainables.datasets.clothing1m",
        "mars": "trainables.datasets.mars",
        "parquet": "trainables.datasets.parquet_folder",
        "folder": "trainables.datasets.class_folders",
        "synthetic": "trainables.datasets.synthetic",
        "webvision": "trainables.datasets.webvision",
    },
    common=SUBSET,
    group="orchestrator.datasets",
)


def load_dataset(choice: Choice, data_root: Path) -> tuple[DatasetInfo, ImageArrays]:
    """Facts and arrays of a data set, cut to `train_size` and `test_size` if the choice has them.

    Raises:
        DatasetError: files are missing, damaged, or not what the facts say.
        ComponentError: no such data set or parameter, or a split has fewer images than asked for.
    """
    dataset = DATASETS.build(choice)
    arrays = dataset.load(data_root)
    info = _with_statistics(dataset.info, arrays.train_images)
    if arrays.class_names:
        info = replace(info, class_names=arrays.class_names)
    _check_split(info, "training", arrays.train_images, arrays.train_labels)
    if not info.is_retrieval:
        _check_split(info, "test", arrays.test_images, arrays.test_labels)
        _check_test_classes(info, arrays)
    train = _evenly(arrays.train_labels, choice, "train_size")
    test = _evenly(arrays.test_labels, choice, "test_size")
    return info, replace(
        arrays,
        train_images=arrays.train_images[train],
        train_labels=arrays.train_labels[train],
        test_images=arrays.test_images[test],
        test_labels=arrays.test_labels[test],
    )


def dataset_info(choice: Choice) -> DatasetInfo:
    """Facts of a data set, without its files. Raises ComponentError."""
    return DATASETS.build(choice).info


def locate(choice: Choice, data_root: Path) -> Presence:
    """Which files of a data set are here; reads and downloads nothing. Raises ComponentError."""
    return DATASETS.build(choice).locate(data_root)


def default_data_root() -> Path:
    """`ORCHESTRATOR_DATA`, else a folder in the user's cache."""
    given = os.environ.get("ORCHESTRATOR_DATA")
    return Path(given) if given else Path.home() / ".cache" / "orchestrator" / "data"


def stays_below(name: str) -> bool:
    """Whether a path in a study or a list names a place below the folder it is relative to."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts


def missing_files(name: str, presence: Presence, reason: str) -> DatasetError:
    """The error that names what is missing, why it could not be fetched, and what to put where."""
    return DatasetError(
        f"data set {name} is not complete: {', '.join(presence.missing)} missing ({reason}). "
        f"{' '.join(presence.accepted)} "
        "Another data root is named with --data-root or ORCHESTRATOR_DATA."
    )


def _evenly(labels: NDArray[np.int64], choice: Choice, parameter: str) -> slice | NDArray[np.intp]:
    """Sorted indices of the first images of each class, `parameter` in all; every image if None.

    Class counts differ by at most one as long as no class runs out, and a smaller subset is part of
    a larger one. Raises ParameterError if there are fewer images.
    """
    size = choice.get(parameter)
    if size is None or size == len(labels):
        return slice(None)
    if size > len(labels):
        raise ParameterError(f"{choice.name} has {len(labels)} images there", key=parameter)
    by_class = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[by_class], labels[by_class])
    rank_within_class = np.empty_like(by_class)
    rank_within_class[by_class] = np.arange(len(labels)) - starts
    return np.sort(np.lexsort((labels, rank_within_class))[:size])


def _with_statistics(info: DatasetInfo, images: NDArray[np.uint8] | ImageFiles) -> DatasetInfo:
    """`info` with mean and standard deviation per channel, from the images if it has none.

    Images in files are too many to look at, so their data sets declare statistics.
    """
    if info.mean or not isinstance(images, np.ndarray):
        return info
    levels = np.arange(256) / 255
    mean, std = [], []
    for channel in range(images.shape[-1]):
        shares = np.bincount(images[..., channel].ravel(), minlength=256) / images[..., 0].size
        mean.append(float(shares @ levels))
        std.append(float(shares @ (levels - mean[-1]) ** 2) ** 0.5)
    return replace(info, mean=tuple(mean), std=tuple(std))


def _check_split(
    info: DatasetInfo, split: str, images: NDArray[np.uint8] | ImageFiles, labels: NDArray[np.int64]
) -> None:
    """Raise DatasetError unless images and labels are what `info` says."""
    channels, height, width = info.image_shape
    found = images.shape[1:]
    if found != (height, width, channels):
        raise DatasetError(
            f"{info.name}: {split} images are {found}, expected {(height, width, channels)}"
        )
    if len(images) != len(labels) or not len(labels):
        raise DatasetError(f"{info.name}: {len(images)} {split} images, {len(labels)} labels")
    if labels.min() < 0 or labels.max() >= info.num_classes:
        raise DatasetError(
            f"{info.name}: {split} labels run from {labels.min()} to {labels.max()}, "
            f"expected 0 to {info.num_classes - 1}"
        )


def _check_test_classes(info: DatasetInfo, arrays: ImageArrays) -> None:
    """Raise DatasetError if a class is tested of which no image is trained on."""
    unknown = np.setdiff1d(arrays.test_labels, arrays.train_labels)
    if len(unknown):
        first = int(unknown[0])
        named = info.class_names[first] if first < len(info.class_names) else f"class {first}"
        more = f" and {len(unknown) - 1} more classes" if len(unknown) > 1 else ""
        raise DatasetError(
            f"{info.name}: there are test images of class {first} ({named}){more}, "
            "of which there is no training image"
        )
