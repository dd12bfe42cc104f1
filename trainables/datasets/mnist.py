"""MNIST and Fashion-MNIST from their original IDX files.

The two share file names, so content is checked against pinned digests of the unpacked files: a file
of one is never taken for the other, however it was packed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

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
from trainables.datasets.download import DownloadError, Remote, fetch
from trainables.datasets.idx import parse_idx, read_unpacked

FASHION_MNIST = DatasetInfo(
    name="fashion-mnist",
    num_classes=10,
    image_shape=(1, 28, 28),
    mean=(0.2860,),
    std=(0.3530,),
    class_names=(
        "T-shirt/top",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ),
    # Zhang & Sabuncu 2018: boot → sneaker → sandal, pullover → shirt, coat ↔ dress.
    similar_classes={9: 7, 7: 5, 2: 6, 4: 3, 3: 4},
    num_train=60_000,
    num_test=10_000,
    licence="MIT",
    origin="downloaded",
)

MNIST = DatasetInfo(
    name="mnist",
    num_classes=10,
    image_shape=(1, 28, 28),
    mean=(0.1307,),
    std=(0.3081,),
    class_names=tuple("0123456789"),
    # Ma et al. 2020 and the codes that follow it: 7 → 1, 2 → 7, 3 → 8, 5 ↔ 6.
    similar_classes={7: 1, 2: 7, 3: 8, 5: 6, 6: 5},
    num_train=60_000,
    num_test=10_000,
    licence="CC BY-SA 3.0",
    origin="downloaded",
)


@dataclass(frozen=True)
class IDXFile:
    """One of the four files.

    Args:
        name: without `.gz`.
        unpacked_sha256: of the IDX file itself.
        packed_sha256: of the `.gz` file on the mirrors.
    """

    name: str
    unpacked_sha256: str
    packed_sha256: str


class IDXDataset:
    """A data set in four IDX files: training images, training labels, test images, test labels.

    Attributes:
        info: its facts.
        folders: where below the data root its files may lie; downloads go to the first.
        mirrors: base addresses of the packed files.
        files: the four, in the order above.
    """

    info: ClassVar[DatasetInfo]
    folders: ClassVar[tuple[str, ...]]
    mirrors: ClassVar[tuple[str, ...]]
    files: ClassVar[tuple[IDXFile, ...]]

    def load(self, data_root: Path) -> ImageArrays:
        """From a folder of its own or the data root, gzipped or not; downloaded if missing."""
        paths = [self._find(file, data_root) or self._fetch(file, data_root) for file in self.files]
        return cached_arrays(
            self.info.name, paths, data_root, lambda: self._decode(paths, data_root)
        )

    def locate(self, data_root: Path) -> Presence:
        """Which of the four files are here."""
        found = {file.name: self._find(file, data_root) for file in self.files}
        places = ", ".join(str(data_root / folder) for folder in (*self.folders, ""))
        return Presence(
            found=tuple(path for path in found.values() if path),
            missing=tuple(f"{name}.gz" for name, path in found.items() if not path),
            accepted=(f"The four IDX files may lie in one of {places}, with or without .gz.",),
        )

    def _find(self, file: IDXFile, data_root: Path) -> Path | None:
        for folder in (*self.folders, ""):
            for name in (f"{file.name}.gz", file.name):
                if (path := data_root / folder / name).is_file():
                    return path
        return None

    def _fetch(self, file: IDXFile, data_root: Path) -> Path:
        name, folder = f"{file.name}.gz", self.folders[0]
        remote = Remote(name, f"sha256:{file.packed_sha256}", self.mirrors, folder)
        try:
            return fetch(remote, data_root / folder / name)
        except DownloadError as error:
            raise missing_files(self.info.name, self.locate(data_root), str(error)) from error

    def _decode(self, paths: Sequence[Path], data_root: Path) -> ImageArrays:
        pairs = zip(self.files, paths, strict=True)
        return as_image_arrays([self._read(file, path, data_root) for file, path in pairs])

    def _read(self, file: IDXFile, path: Path, data_root: Path) -> NDArray[np.uint8]:
        content = read_unpacked(path)
        if hashlib.sha256(content).hexdigest() != file.unpacked_sha256:
            raise DatasetError(
                f"{path} is damaged or belongs to another data set than {self.info.name}; "
                f"put the right files into {data_root / self.folders[0]}, which is looked at first"
            )
        return parse_idx(content, path)


def as_image_arrays(parts: Sequence[NDArray[np.uint8]]) -> ImageArrays:
    """Training images [N, H, W] and labels [N], test images and labels → arrays of one channel."""
    train_images, train_labels, test_images, test_labels = parts
    return ImageArrays(
        train_images[..., None],
        train_labels.astype(np.int64),
        test_images[..., None],
        test_labels.astype(np.int64),
    )


@DATASETS.register("fashion-mnist")
class FashionMNIST(IDXDataset):
    """70,000 grey images of clothes, 28 × 28, 10 classes.

    Source: Xiao, Rasul & Vollgraf, Fashion-MNIST (arXiv 1708.07747), MIT licence.
    """

    info = FASHION_MNIST
    folders = ("fashion-mnist", "FashionMNIST/raw", "FashionMNIST")
    mirrors = (
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion",
    )
    files = (
        IDXFile(
            "train-images-idx3-ubyte",
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        IDXFile(
            "train-labels-idx1-ubyte",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        IDXFile(
            "t10k-images-idx3-ubyte",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        IDXFile(
            "t10k-labels-idx1-ubyte",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    )


@DATASETS.register("mnist")
class HandwrittenDigits(IDXDataset):
    """70,000 grey images of digits, 28 × 28, 10 classes. Source: LeCun, Cortes & Burges."""

    info = MNIST
    folders = ("mnist", "MNIST/raw", "MNIST")
    mirrors = (
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        "https://storage.googleapis.com/cvdf-datasets/mnist",
    )
    files = (
        IDXFile(
            "train-images-idx3-ubyte",
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        IDXFile(
            "train-labels-idx1-ubyte",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        IDXFile(
            "t10k-images-idx3-ubyte",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        IDXFile(
            "t10k-labels-idx1-ubyte",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    )
