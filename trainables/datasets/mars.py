"""MARS: persons in videos of six cameras, found and tracked by machines: labels wrong in part.

The files are those of the authors: `bbox_train` and `bbox_test` with the images, and `info` with
the names, the tracklets and the queries.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from trainables.datasets import (
    DATASETS,
    DatasetError,
    DatasetInfo,
    ImageArrays,
    Presence,
    RetrievalSplit,
    missing_files,
)
from trainables.datasets.file_list import FileList, read_names
from trainables.datasets.image_files import IMAGENET_MEAN, IMAGENET_STD, Broken
from trainables.datasets.packing import image_files
from trainables.registry import Range

SIZE = 256
TRAIN_NAMES, TEST_NAMES = "info/train_name.txt", "info/test_name.txt"
TRAIN_TRACKS, TEST_TRACKS = "info/tracks_train_info.mat", "info/tracks_test_info.mat"
QUERIES = "info/query_IDX.mat"
FILES = (TRAIN_NAMES, TEST_NAMES, TRAIN_TRACKS, TEST_TRACKS, QUERIES, "bbox_train", "bbox_test")


@dataclass(frozen=True)
class Tracks:
    """Tracklets of a split, int64 [T] each: images `first` to `last` (0-based, inclusive)."""

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    identities: NDArray[np.int64]
    cameras: NDArray[np.int64]


@DATASETS.register("mars")
@dataclass(frozen=True)
class MARS:
    """Trained to tell the training persons apart, tested by finding other persons again.

    Images are scaled to 256 × 256 whole. Statistics are those of ImageNet.

    Args:
        identities: persons in the training split, 625 as published.
        broken: what to make of an image that cannot be decoded: blank and counted, or stop.

    Source: Zheng et al., MARS: A Video Benchmark (ECCV 2016).
    """

    identities: Annotated[int, Range(2)] = 625
    broken: Broken = "blank"

    @property
    def info(self) -> DatasetInfo:
        return DatasetInfo(
            name="mars",
            num_classes=self.identities,
            image_shape=(3, SIZE, SIZE),
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
            class_names=tuple(f"person {index}" for index in range(self.identities)),
            num_train=509_914 if self.identities == 625 else None,
            num_test=681_089 if self.identities == 625 else None,
            is_retrieval=True,
            labels_are_true=False,
            licence="research only",
            origin="on request",
        )

    def load(self, data_root: Path) -> ImageArrays:
        """Read names and tracklets; images are read when asked for. Raises DatasetError."""
        presence = self.locate(data_root)
        if presence.missing:
            raise missing_files("mars", presence, "it has to be asked for")
        root = data_root / "mars"
        train_names, test_names = read_names(root / TRAIN_NAMES), read_names(root / TEST_NAMES)
        train = read_tracks(root / TRAIN_TRACKS, len(train_names))
        test = read_tracks(root / TEST_TRACKS, len(test_names))
        queries = read_matrix(root / QUERIES, 1).ravel() - 1
        if queries.min() < 0 or queries.max() >= len(test.identities):
            raise DatasetError(f"{root / QUERIES} asks for tracklets that are not there")
        train_tracklets = tracklet_of_images(train, len(train_names), root / TRAIN_TRACKS)
        test_tracklets = tracklet_of_images(test, len(test_names), root / TEST_TRACKS)
        labels = self._labels(train, root)[train_tracklets]
        listed = FileList(_in_folders("bbox_train", train_names), labels)
        tested = FileList(_in_folders("bbox_test", test_names), test_tracklets)
        return ImageArrays(
            image_files(root, listed, SIZE, self.broken, data_root, fit="whole"),
            labels,
            image_files(root, tested, SIZE, self.broken, data_root, fit="whole"),
            test_tracklets,
            RetrievalSplit(test.identities, test.cameras, queries),
        )

    def locate(self, data_root: Path) -> Presence:
        """Its lists, tracklets and folders."""
        root = data_root / "mars"
        found = tuple(root / name for name in FILES if (root / name).exists())
        missing = tuple(name for name in FILES if root / name not in found)
        accepted = f"{root} holds bbox_train, bbox_test and info with {', '.join(FILES[:5])}."
        return Presence(found, missing, (accepted,))

    def _labels(self, train: Tracks, root: Path) -> NDArray[np.int64]:
        """Class of each training tracklet: the rank of its person. Raises DatasetError."""
        persons, labels = np.unique(train.identities, return_inverse=True)
        if len(persons) != self.identities:
            raise DatasetError(
                f"{root / TRAIN_TRACKS} has {len(persons)} persons, identities is {self.identities}"
            )
        return labels.astype(np.int64)


def read_tracks(path: Path, num_images: int) -> Tracks:
    """Tracklets of a split: columns first and last image (1-based), person, camera."""
    table = read_matrix(path, 4)
    first, last = table[:, 0] - 1, table[:, 1] - 1
    if (first < 0).any() or (last < first).any() or (last >= num_images).any():
        raise DatasetError(f"{path} has tracklets beyond the {num_images} images that are named")
    return Tracks(first, last, table[:, 2], table[:, 3])


def tracklet_of_images(tracks: Tracks, num_images: int, path: Path) -> NDArray[np.int64]:
    """Tracklet of each image, int64 [N]. Raises DatasetError unless each image has one."""
    tracklets = np.full(num_images, -1, np.int64)
    for index, (first, last) in enumerate(zip(tracks.first, tracks.last, strict=True)):
        tracklets[first : last + 1] = index
    if (tracklets < 0).any():
        raise DatasetError(f"{path} leaves {int((tracklets < 0).sum())} images without a tracklet")
    return tracklets


def read_matrix(path: Path, columns: int) -> NDArray[np.int64]:
    """The one matrix of a MATLAB file, int64 [N, columns]. Raises DatasetError."""
    try:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError
    except ImportError as error:
        raise DatasetError(
            f"{path.name} is a MATLAB file, read by SciPy: pip install scipy"
        ) from error
    try:
        content: dict[str, Any] = loadmat(str(path))
        (matrix,) = (value for name, value in content.items() if not name.startswith("__"))
        numbers = np.asarray(matrix, dtype=np.int64)
    except (OSError, ValueError, TypeError, NotImplementedError, MatReadError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error
    return numbers.reshape(-1, columns) if columns > 1 else numbers.reshape(-1, 1)


def _in_folders(folder: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """`0001C1T0001F001.jpg` lies in `0001`: the first four characters name the person."""
    return tuple(f"{folder}/{name[:4]}/{name}" for name in names)
