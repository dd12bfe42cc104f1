"""CIFAR-10 and CIFAR-100: original archive, unpacked batches, or Parquet tables of images."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from trainables.datasets import DATASETS, DatasetError, DatasetInfo, ImageArrays
from trainables.datasets.array_cache import cached_arrays
from trainables.datasets.encoded import find_tables, read_tables
from trainables.datasets.files import Download, obtain
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

# Superclass of each fine class of CIFAR-100, in the alphabetical order of the fine classes.
# Source: Krizhevsky 2009, the coarse labels of the published batches.
CIFAR100_SUPERCLASSES = (
    *(4, 1, 14, 8, 0, 6, 7, 7, 18, 3, 3, 14, 9, 18, 7, 11, 3, 9, 7, 11),
    *(6, 11, 5, 10, 7, 6, 13, 15, 3, 15, 0, 11, 1, 10, 12, 14, 16, 9, 11, 5),
    *(5, 19, 8, 8, 15, 13, 14, 17, 18, 10, 16, 4, 17, 4, 2, 0, 17, 4, 18, 17),
    *(10, 3, 2, 12, 12, 16, 12, 1, 9, 19, 2, 10, 0, 1, 16, 12, 9, 13, 15, 13),
    *(16, 19, 2, 4, 6, 19, 5, 5, 8, 19, 18, 1, 2, 15, 6, 0, 17, 8, 14, 13),
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
)

CIFAR100 = DatasetInfo(
    name="cifar100",
    num_classes=100,
    image_shape=(3, 32, 32),
    mean=(0.5071, 0.4865, 0.4409),
    std=(0.2673, 0.2564, 0.2762),
    class_names=tuple(f"class {index}" for index in range(100)),
    similar_classes=next_within_superclass(CIFAR100_SUPERCLASSES),
    superclasses=CIFAR100_SUPERCLASSES,
)


@dataclass(frozen=True)
class Layout:
    """How one of the two data sets is published.

    Args:
        archive: the original archive and where to get it.
        batches: folder of the pickled batches inside the archive.
        train, test: names of the batches.
        label_key: entry of a batch that holds the labels.
        tables: names of a folder of Parquet tables.
    """

    archive: Download
    batches: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    label_key: bytes
    tables: tuple[str, ...]

    def load(self, name: str, data_root: Path) -> ImageArrays:
        """Parquet tables, else unpacked batches, else the archive (downloaded at need)."""
        sources, decode = self._locate(data_root)
        return cached_arrays(name, sources, data_root, decode)

    def _locate(self, data_root: Path) -> tuple[list[Path], Callable[[], ImageArrays]]:
        """The files that are there, and how to decode them."""
        tables = [find_tables(data_root / folder) for folder in self.tables]
        whole = [(train, test) for train, test in tables if train and test]
        if whole:
            train, test = whole[0]
            return [*train, *test], lambda: read_tables(train, test)
        batches = [data_root / self.batches / batch for batch in (*self.train, *self.test)]
        if all(path.is_file() for path in batches):
            return batches, lambda: self._decode(_read_file(data_root))
        archive = obtain(self.archive, data_root)
        return [archive], lambda: self._decode_archive(archive)

    def _decode_archive(self, archive: Path) -> ImageArrays:
        """Batches are read as streams: nothing of the archive is written to disk."""
        try:
            with tarfile.open(archive) as tar:
                return self._decode(_read_member(tar, archive))
        except tarfile.TarError as error:
            raise DatasetError(f"{archive} cannot be read: {error}") from error

    def _decode(self, read: Callable[[str], bytes]) -> ImageArrays:
        return ImageArrays(*self._split(self.train, read), *self._split(self.test, read))

    def _split(
        self, names: Sequence[str], read: Callable[[str], bytes]
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        batches = [read_batch(read(f"{self.batches}/{name}"), name) for name in names]
        pixels = np.concatenate([np.asarray(batch[b"data"], np.uint8) for batch in batches])
        labels = np.concatenate([np.asarray(b[self.label_key], np.int64) for b in batches])
        return pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), labels


def _read_file(data_root: Path) -> Callable[[str], bytes]:
    return lambda name: (data_root / name).read_bytes()


def _read_member(tar: tarfile.TarFile, archive: Path) -> Callable[[str], bytes]:
    def read(name: str) -> bytes:
        try:
            stream = tar.extractfile(name)
        except KeyError:
            stream = None
        if stream is None:
            raise DatasetError(f"{archive} has no regular file {name}")
        return stream.read()

    return read


@DATASETS.register("cifar10")
@dataclass(frozen=True)
class CIFARTen:
    """60,000 colour images, 32 × 32, 10 classes. Source: Krizhevsky 2009."""

    LAYOUT: ClassVar = Layout(
        archive=Download(
            "cifar-10-python.tar.gz",
            "sha256:6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
            (
                "https://www.cs.toronto.edu/~kriz",
                "https://storage.googleapis.com/tensorflow/tf-keras-datasets",
            ),
            ("cifar10",),
        ),
        batches="cifar-10-batches-py",
        train=tuple(f"data_batch_{number}" for number in range(1, 6)),
        test=("test_batch",),
        label_key=b"labels",
        tables=("cifar10", "cifar-10"),
    )

    @property
    def info(self) -> DatasetInfo:
        return CIFAR10

    def load(self, data_root: Path) -> ImageArrays:
        """From Parquet tables, torchvision's unpacked batches, or the original archive."""
        return self.LAYOUT.load("cifar10", data_root)


@DATASETS.register("cifar100")
@dataclass(frozen=True)
class CIFARHundred:
    """60,000 colour images, 32 × 32, 100 classes in 20 superclasses. Source: Krizhevsky 2009."""

    LAYOUT: ClassVar = Layout(
        archive=Download(
            "cifar-100-python.tar.gz",
            "sha256:85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
            ("https://www.cs.toronto.edu/~kriz",),
            ("cifar100",),
        ),
        batches="cifar-100-python",
        train=("train",),
        test=("test",),
        label_key=b"fine_labels",
        tables=("cifar100", "cifar-100"),
    )

    @property
    def info(self) -> DatasetInfo:
        return CIFAR100

    def load(self, data_root: Path) -> ImageArrays:
        """From Parquet tables, torchvision's unpacked batches, or the original archive."""
        return self.LAYOUT.load("cifar100", data_root)
