"""Golden runs of data sets: their facts, and a digest of those that need no published files."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.golden.figures import Figure, double, exact, exact_list
from tests.golden.inputs import images
from trainables.config import Choice
from trainables.datasets import DatasetError, DatasetInfo, dataset_info, load_dataset, locate
from trainables.datasets.content import array_sha256
from trainables.datasets.image_files import ImageFiles

CLASSES = {"pictures": ("ant", "bee", "cat"), "others": ("cat", "dog", "emu")}
"""Folder below the data root → classes of its pictures."""


def figures(choice: Choice) -> Mapping[str, Figure]:
    """Of one data set with all its parameters."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _write_pictures(root)
        return {**_facts(dataset_info(choice)), **_content(choice, root)}


def _facts(info: DatasetInfo) -> Mapping[str, Figure]:
    similar = [f"{origin} → {target}" for origin, target in info.similar_classes.items()]
    return {
        "classes": exact(info.num_classes),
        "image shape": exact(*info.image_shape, place="axis"),
        "images": exact(info.num_train, info.num_test, place="split"),
        "class names": exact_list(info.class_names, "class"),
        "similar classes": exact_list(similar),
        "superclasses": exact_list(info.superclasses),
        "labels are true": exact(info.labels_are_true),
        "is a retrieval": exact(info.is_retrieval),
        "mean": double(info.mean, "channel", relative=1e-12),
        "std": double(info.std, "channel", relative=1e-12),
    }


def _content(choice: Choice, root: Path) -> Mapping[str, Figure]:
    """Digests of both splits; nothing of a data set whose files are not here."""
    if locate(choice, root).missing:
        return {}
    try:
        info, arrays = load_dataset(choice, root)
        return {
            "train": exact(_sha256(arrays.train_images, arrays.train_labels)),
            "test": exact(_sha256(arrays.test_images, arrays.test_labels)),
            "first labels": exact(*arrays.train_labels[:12].tolist(), place="image"),
            "statistics": double([*info.mean, *info.std], relative=1e-9),
        }
    except DatasetError:
        return {"train": exact("refused")}


def _sha256(pictures: ImageFiles | NDArray[np.uint8], labels: NDArray[np.int64]) -> str:
    if isinstance(pictures, ImageFiles):
        pictures = np.stack([pictures.read(position) for position in range(len(pictures))])
    return array_sha256(pictures, labels)


def _write_pictures(root: Path) -> None:
    """PNG files, which are decoded alike everywhere; one of them is broken."""
    for name, classes in CLASSES.items():
        made = iter(images(100, (3, 20, 26)).permute(0, 2, 3, 1).numpy())
        for split in ("train", "test"):
            for label in classes:
                folder = root / name / split / label
                folder.mkdir(parents=True)
                for index in range(3):
                    Image.fromarray(next(made)).save(folder / f"{index}.png")
    (root / "pictures" / "train" / "bee" / "1.png").write_bytes(b"no picture")
