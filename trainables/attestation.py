"""What the data of a run are: digests taken at load, and whether the same is still there.

Everything that trains or tests reads the same tensors, so whoever writes into them changes the
results of others. Knows no networks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from trainables.datasets.content import array_sha256
from trainables.datasets.image_files import ImageFiles


class ContradictionError(Exception):
    """What a run was trained or tested on at its end is not what it was at its beginning."""


@dataclass(frozen=True)
class SplitContent:
    """One split as it was loaded.

    Args:
        sha256: digest of images and labels; None for images in files.
        labels: int64 [N], a copy.
    """

    sha256: str | None
    labels: NDArray[np.int64]

    @classmethod
    def of(cls, images: NDArray[np.uint8] | ImageFiles, labels: NDArray[np.int64]) -> SplitContent:
        """Images uint8 [N, H, W, C], labels int64 [N]."""
        return cls(_sha256(images, labels), np.array(labels))

    def changes(self, images: NDArray[np.uint8] | ImageFiles, labels: Tensor) -> Iterator[str]:
        """Which part of the split, as it is now, differs: "images", "labels"."""
        present = labels.cpu().numpy()
        if _sha256(images, present) == self.sha256 is not None:
            return
        if not np.array_equal(present, self.labels):
            yield "labels"
        if _sha256(images, self.labels) != self.sha256:
            yield "images"


def _sha256(images: NDArray[np.uint8] | ImageFiles, labels: NDArray[np.int64]) -> str | None:
    """The digest that a result carries."""
    return None if isinstance(images, ImageFiles) else array_sha256(images, labels)
