"""Clothing1M: a million clothes from shops, labelled by the words around them; 14 classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from trainables.datasets import (
    DATASETS,
    DatasetError,
    DatasetInfo,
    ImageArrays,
    Presence,
    missing_files,
)
from trainables.datasets.file_list import FileList, read_file_list, read_names
from trainables.datasets.image_files import IMAGENET_MEAN, IMAGENET_STD, Broken
from trainables.datasets.packing import image_files

SIZE = 256
CLASSES = (
    "T-shirt", "shirt", "knitwear", "chiffon", "sweater", "hoodie", "windbreaker", "jacket",
    "down coat", "suit", "shawl", "dress", "vest", "underwear",
)  # fmt: skip
NOISY_LABELS, CLEAN_LABELS = "noisy_label_kv.txt", "clean_label_kv.txt"
KEYS = {
    "noisy": ("noisy_train_key_list.txt", NOISY_LABELS),
    "clean": ("clean_train_key_list.txt", CLEAN_LABELS),
    "validation": ("clean_val_key_list.txt", CLEAN_LABELS),
    "test": ("clean_test_key_list.txt", CLEAN_LABELS),
}
COUNTS = {"noisy": 1_000_000, "clean": 47_570, "validation": 14_313, "test": 10_526}


@DATASETS.register("clothing1m")
@dataclass(frozen=True)
class Clothing1M:
    """Trained on the noisy or the clean part, tested on the clean test part, at 256 × 256.

    Statistics are those of ImageNet, since networks come with its weights.

    Args:
        train: `noisy` (a million images, about four labels in ten wrong) or `clean`.
        test: `test`, or `validation` to choose hyperparameters without looking at the test part.
        broken: what to make of an image that cannot be decoded: blank and counted, or stop.

    Source: Xiao et al., Learning from Massive Noisy Labeled Data (CVPR 2015).
    """

    train: Literal["noisy", "clean"] = "noisy"
    test: Literal["test", "validation"] = "test"
    broken: Broken = "blank"

    @property
    def info(self) -> DatasetInfo:
        return DatasetInfo(
            name="clothing1m",
            num_classes=len(CLASSES),
            image_shape=(3, SIZE, SIZE),
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
            class_names=CLASSES,
            num_train=COUNTS[self.train],
            num_test=COUNTS[self.test],
            labels_are_true=self.train == "clean",
            licence="research only",
            origin="on request",
        )

    def load(self, data_root: Path) -> ImageArrays:
        """Read the lists; images are read when they are asked for. Raises DatasetError."""
        presence = self.locate(data_root)
        if presence.missing:
            raise missing_files("clothing1m", presence, "it has to be asked for")
        root = data_root / "clothing1m"
        train, test = (_listed(root, part) for part in (self.train, self.test))
        return ImageArrays(
            image_files(root, train, SIZE, self.broken, data_root),
            train.labels,
            image_files(root, test, SIZE, self.broken, data_root),
            test.labels,
        )

    def locate(self, data_root: Path) -> Presence:
        """Its lists and the folder of the images."""
        root = data_root / "clothing1m"
        names = dict.fromkeys((*KEYS[self.train], *KEYS[self.test], "images"))
        found = tuple(root / name for name in names if (root / name).exists())
        missing = tuple(name for name in names if root / name not in found)
        accepted = f"{root} holds the lists of keys and labels, and the folder images."
        return Presence(found, missing, (accepted,))


def _listed(root: Path, part: str) -> FileList:
    """The images of a part with their labels. Raises DatasetError for one without a label."""
    keys, labels = (root / name for name in KEYS[part])
    all_labels: Mapping[str, int] = read_file_list(labels, len(CLASSES)).by_name()
    names = read_names(keys)
    unknown = next((name for name in names if name not in all_labels), None)
    if unknown is not None:
        raise DatasetError(f"{keys} names {unknown}, which has no label in {labels}")
    return FileList(names, np.array([all_labels[name] for name in names], dtype=np.int64))
