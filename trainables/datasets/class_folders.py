"""Any data set of image files in one folder per class."""

from __future__ import annotations

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
from trainables.registry import ParameterError, Range

TEST_SPLITS = ("test", "val")
IMAGES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}


@DATASETS.register("folder")
@dataclass(frozen=True)
class ClassFolders:
    """Files `train/CLASS/…` and `test/CLASS/…` (or `val`), classes in the order of their names.

    Args:
        path: folder below the data root.
        num_classes: K.
        size: of every image after cutting the centre out and scaling.
        mean, std: of each channel of images scaled to [0, 1]; by default those of ImageNet.
        broken: what to make of an image that cannot be decoded: blank and counted, or stop.
    """

    path: str
    num_classes: Annotated[int, Range(2)]
    size: Annotated[int, Range(8)] = 224
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    broken: Broken = "blank"

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
        )

    def load(self, data_root: Path) -> ImageArrays:
        """List the files; images are read when they are asked for. Raises DatasetError."""
        presence = self.locate(data_root)
        if presence.missing:
            raise missing_files(self.path, presence, "it has no known source")
        train, test = (self._listed(folder) for folder in presence.found)
        return ImageArrays(
            image_files(presence.found[0], train, self.size, self.broken, data_root),
            train.labels,
            image_files(presence.found[1], test, self.size, self.broken, data_root),
            test.labels,
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

    def _listed(self, folder: Path) -> FileList:
        classes = sorted(path.name for path in folder.iterdir() if path.is_dir())
        if len(classes) != self.num_classes:
            raise DatasetError(
                f"{folder} has {len(classes)} folders of classes, num_classes is {self.num_classes}"
            )
        names, labels = [], []
        for label, name in enumerate(classes):
            files = sorted(p for p in (folder / name).rglob("*") if p.suffix.lower() in IMAGES)
            names += [str(path.relative_to(folder)) for path in files]
            labels += [label] * len(files)
        return FileList(tuple(names), np.array(labels, dtype=np.int64))
