"""What a data set holds, as a digest: two data sets with the same digests give the same numbers.

One digest a split, over images, labels and, where the files name them, classes. Knows no place, no
format and no time: the same images from another archive have the same digest.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.config import Choice
from trainables.datasets import load_dataset, locate


@dataclass(frozen=True)
class ContentDigests:
    """SHA-256 of each split as hexadecimal digits."""

    train: str
    test: str


def array_sha256(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> str:
    """Digest of one split in memory: uint8 [N, H, W, C] of any layout, int64 [N]."""
    digest = hashlib.sha256(f"images {images.shape} labels {labels.shape}".encode())
    digest.update(np.ascontiguousarray(images).data)
    digest.update(np.ascontiguousarray(labels, dtype="<i8").data)
    return digest.hexdigest()


def data_digests(choice: Choice, data_root: Path) -> ContentDigests | None:
    """Digests of a data set as it is loaded here; None if its files are not here."""
    if locate(choice, data_root).missing:
        return None
    _, arrays = load_dataset(choice, data_root)
    if not isinstance(arrays.train_images, np.ndarray):
        return None
    assert isinstance(arrays.test_images, np.ndarray)
    return ContentDigests(
        array_sha256(arrays.train_images, arrays.train_labels),
        array_sha256(arrays.test_images, arrays.test_labels),
    )
