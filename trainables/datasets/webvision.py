"""WebVision 1.0: a million images that a search engine found for the 1,000 classes of ImageNet."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from trainables.datasets import (
    DATASETS,
    DatasetInfo,
    ImageArrays,
    Presence,
    missing_files,
)
from trainables.datasets.file_list import read_file_list
from trainables.datasets.image_files import IMAGENET_MEAN, IMAGENET_STD, Broken
from trainables.datasets.packing import image_files
from trainables.registry import Range

NUM_CLASSES, SIZE = 1000, 256
TRAIN_LIST, TEST_LIST = "info/train_filelist_google.txt", "info/val_filelist.txt"
TEST_FOLDERS = ("val_images_256", "val_images")


@DATASETS.register("webvision")
@dataclass(frozen=True)
class WebVision:
    """The Google part and the validation set at 256 × 256.

    Labels are what was searched for, so a part of them is wrong; nobody knows which. Statistics are
    those of ImageNet.

    Args:
        classes: the first so many classes; 50 is the usual "mini" subset.
        broken: what to make of an image that cannot be decoded: blank and counted, or stop.

    Source: Li et al., WebVision Database (arXiv 1708.02862); non-commercial research only.
    """

    classes: Annotated[int, Range(2, NUM_CLASSES)] = NUM_CLASSES
    broken: Broken = "blank"

    @property
    def info(self) -> DatasetInfo:
        return DatasetInfo(
            name="webvision",
            num_classes=self.classes,
            image_shape=(3, SIZE, SIZE),
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
            class_names=tuple(f"class {index}" for index in range(self.classes)),
            num_test=50 * self.classes,
            labels_are_true=False,
            licence="research only",
            origin="on request",
        )

    def load(self, data_root: Path) -> ImageArrays:
        """Read the lists; images are read when they are asked for. Raises DatasetError."""
        presence = self.locate(data_root)
        if presence.missing:
            raise missing_files("webvision", presence, "it has to be asked for")
        root = data_root / "webvision"
        folder = next(root / name for name in TEST_FOLDERS if (root / name).is_dir())
        train = read_file_list(root / TRAIN_LIST, NUM_CLASSES).first_classes(self.classes)
        test = read_file_list(root / TEST_LIST, NUM_CLASSES).first_classes(self.classes)
        return ImageArrays(
            image_files(root, train, SIZE, self.broken, data_root),
            train.labels,
            image_files(folder, test, SIZE, self.broken, data_root),
            test.labels,
        )

    def locate(self, data_root: Path) -> Presence:
        """Its lists and folders."""
        root = data_root / "webvision"
        wanted = [root / TRAIN_LIST, root / TEST_LIST, root / "google"]
        validation = [root / name for name in TEST_FOLDERS]
        found = [path for path in (*wanted, *validation) if path.exists()]
        missing = [str(path.relative_to(root)) for path in wanted if path not in found]
        if not any(path in found for path in validation):
            missing.append(TEST_FOLDERS[0])
        accepted = (
            f"{root} holds {TRAIN_LIST}, {TEST_LIST}, the folder google with the training images "
            f"and the folder {' or '.join(TEST_FOLDERS)} (WebVision 1.0 as published).",
        )
        return Presence(tuple(found), tuple(missing), accepted)
