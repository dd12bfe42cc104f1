"""MNIST and Fashion-MNIST from their original IDX files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainables.datasets import DATASETS, DatasetInfo, ImageArrays
from trainables.datasets.files import Download, obtain
from trainables.datasets.idx import read_idx

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
)

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def load_idx_dataset(data_root: Path, downloads: tuple[Download, ...]) -> ImageArrays:
    """The four files of an MNIST-like data set. Raises DatasetError."""
    train_images, train_labels, test_images, test_labels = (
        read_idx(obtain(download, data_root)) for download in downloads
    )
    return ImageArrays(
        train_images[..., None],
        train_labels.astype(np.int64),
        test_images[..., None],
        test_labels.astype(np.int64),
    )


def _downloads(
    folders: tuple[str, ...], mirrors: tuple[str, ...], digests: tuple[str, ...]
) -> tuple[Download, ...]:
    return tuple(
        Download(f"{name}.gz", digest, mirrors, folders, alternatives=(name,))
        for name, digest in zip(FILES, digests, strict=True)
    )


@DATASETS.register("fashion-mnist")
@dataclass(frozen=True)
class FashionMNIST:
    """70,000 grey images of clothes, 28 × 28, 10 classes.

    Source: Xiao, Rasul & Vollgraf, Fashion-MNIST (arXiv 1708.07747), MIT licence.
    """

    @property
    def info(self) -> DatasetInfo:
        return FASHION_MNIST

    def load(self, data_root: Path) -> ImageArrays:
        """From `fashion-mnist/` or torchvision's `FashionMNIST/raw/`, gzipped or not."""
        return load_idx_dataset(
            data_root,
            _downloads(
                ("fashion-mnist", "FashionMNIST/raw"),
                (
                    "https://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
                    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion",
                ),
                (
                    "sha256:3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                    "sha256:a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                    "sha256:346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                    "sha256:67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                ),
            ),
        )


@DATASETS.register("mnist")
@dataclass(frozen=True)
class HandwrittenDigits:
    """70,000 grey images of digits, 28 × 28, 10 classes. Source: LeCun, Cortes & Burges."""

    @property
    def info(self) -> DatasetInfo:
        return MNIST

    def load(self, data_root: Path) -> ImageArrays:
        """From `mnist/` or torchvision's `MNIST/raw/`, gzipped or not."""
        return load_idx_dataset(
            data_root,
            _downloads(
                ("mnist", "MNIST/raw"),
                ("https://ossci-datasets.s3.amazonaws.com/mnist",),
                (
                    "sha256:440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                    "sha256:3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                    "sha256:8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                    "sha256:f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                ),
            ),
        )
