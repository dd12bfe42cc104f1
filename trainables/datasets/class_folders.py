"""Any data set of image files in one folder per class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np

from trainables.datasets import (
    DATASETS,
    DatasetError,
    DatasetInfo,
    ImageArrays,
    Presence,
    missing_files,
    stays_below,
)
from trainables.datasets.file_list import FileList
from trainables.datasets.image_files import IMAGENET_MEAN, IMAGENET_STD, Broken
from trainables.datasets.packing import image_files
from trainables.registry import ParameterError, Range, nearest

TEST_SPLITS = ("test", "val")
IMAGES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}

MOST_NAMES = 5
"""Folders named in one message."""


@DATASETS.register("folder")
@dataclass(frozen=True)
class ClassFolders:
    """Files `train/CLASS/…` and `test/CLASS/…` (or `val`), classes in the order of their names.

    Both splits have the same folders of classes, and names that begin with a dot are passed over.
    A 16-bit image is scaled to 8 bits by a fixed factor (65535 is white); 32-bit integers and
    floats are refused.

    Args:
        path: folder below the data root.
        num_classes: K.
        size: of every image after cutting the centre out and scaling.
        mean, std: of each channel of images scaled to [0, 1]; by default those of ImageNet.
        broken: what to make of an image that cannot be decoded: blank and counted, or stop.
        labels_are_true: say so if the training labels are known to be true; only then is anything
            measured against them, such as the realised noise rate.
    """

    path: str
    num_classes: Annotated[int, Range(2)]
    size: Annotated[int, Range(8)] = 224
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    broken: Broken = "blank"
    labels_are_true: bool = False

    def __post_init__(self) -> None:
        # A cell must mean the same on every machine, so no place outside the data root.
        if not stays_below(self.path):
            raise ParameterError("a folder below the data root is needed", key="path")

    @property
    def info(self) -> DatasetInfo:
        return DatasetInfo(
            name=self.path,
            num_classes=self.num_classes,
            image_shape=(3, self.size, self.size),
            mean=self.mean,
            std=self.std,
            class_names=tuple(f"class {index}" for index in range(self.num_classes)),
            labels_are_true=self.labels_are_true,
        )

    def load(self, data_root: Path) -> ImageArrays:
        """List the files; images are read when they are asked for. Raises DatasetError."""
        presence = self.locate(data_root)
        if presence.missing:
            raise missing_files(self.path, presence, "it has no known source")
        train_folder, test_folder = presence.found
        classes = self._classes(train_folder, test_folder)
        train, test = (_listed(folder, classes) for folder in presence.found)
        _require_images(train, classes, train_folder)
        return ImageArrays(
            image_files(train_folder, train, self.size, self.broken, data_root),
            train.labels,
            image_files(test_folder, test, self.size, self.broken, data_root),
            test.labels,
            class_names=classes,
        )

    def locate(self, data_root: Path) -> Presence:
        """The folders of both splits, training first."""
        root = data_root / self.path
        tests = [root / name for name in TEST_SPLITS if (root / name).is_dir()]
        wanted = {"train": root / "train", "test": tests[0] if tests else root / "test"}
        found = tuple(path for path in wanted.values() if path.is_dir())
        missing = tuple(f"{name}/" for name, path in wanted.items() if not path.is_dir())
        accepted = f"{root} holds train/CLASS/IMAGE and test/CLASS/IMAGE (or val)."
        return Presence(found, missing, (accepted,))

    def _classes(self, train: Path, test: Path) -> tuple[str, ...]:
        """Names of the folders, the same in both splits. Raises DatasetError."""
        classes, tested = _folders(train), _folders(test)
        if len(classes) != self.num_classes:
            raise DatasetError(
                f"{train} has {len(classes)} folders of classes ({_listing(classes)}), "
                f"num_classes is {self.num_classes}"
            )
        if classes != tested:
            differences = (
                *_only(train, classes, test, tested),
                *_only(test, tested, train, classes),
            )
            raise DatasetError(
                f"{train.parent}: both splits must have the same folders of classes, "
                f"but {', and '.join(differences)}"
            )
        return classes


def _folders(split: Path) -> tuple[str, ...]:
    """Names of the folders that are not hidden, in the order of their characters' numbers."""
    found = (path for path in split.iterdir() if path.is_dir())
    return tuple(sorted(path.name for path in found if not path.name.startswith(".")))


def _only(split: Path, ours: Sequence[str], other: Path, others: Sequence[str]) -> Iterator[str]:
    """What one split alone has, each with the name in the other split that may be meant."""
    own = [name for name in ours if name not in others]
    unmatched = [name for name in others if name not in ours]
    alike = {name: _alike(name, unmatched) for name in own}
    words = [f"{name} ({other.name} has {alike[name]})" if alike[name] else name for name in own]
    if own:
        yield f"only {split.name} has {_listing(words)}"


def _listing(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _alike(name: str, others: Sequence[str]) -> str | None:
    """The name that differs from `name` in case alone, else the nearest one."""
    same = (other for other in others if other.casefold() == name.casefold())
    return next(same, None) or nearest(name, others)


def _listed(split: Path, classes: Sequence[str]) -> FileList:
    """Images of a split, class by class, in the order of their paths."""
    names: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        files = sorted(path.relative_to(split) for path in (split / name).rglob("*"))
        images = [str(path) for path in files if _is_image(path)]
        names += images
        labels += [label] * len(images)
    return FileList(tuple(names), np.array(labels, dtype=np.int64))


def _is_image(path: Path) -> bool:
    """By its name; what systems and editors hide, such as copies of images, is none."""
    is_hidden = any(part.startswith(".") for part in path.parts)
    return path.suffix.lower() in IMAGES and not is_hidden


def _require_images(train: FileList, classes: Sequence[str], split: Path) -> None:
    """Raise DatasetError if a class has no training image."""
    counts = np.bincount(train.labels, minlength=len(classes))
    empty = [name for name, count in zip(classes, counts, strict=True) if not count]
    if empty:
        raise DatasetError(
            f"{split} has no image in the folder of {_listing(empty)}; "
            f"images are files {', '.join(sorted(IMAGES))}"
        )
