"""What the data of a run are: digests taken at load, and whether the same is still there.

Everything that trains or tests reads the same tensors, so whoever writes into them changes the
results of others. Knows no networks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from trainables.datasets import DatasetError, RetrievalSplit
from trainables.datasets.content import split_sha256
from trainables.datasets.image_files import ImageFiles


class ContradictionError(Exception):
    """What a run was trained or tested on at its end is not what it was at its beginning."""


@dataclass(frozen=True)
class SplitContent:
    """One split as it was loaded.

    Args:
        sha256: digest of images and labels.
        labels: int64 [N], a copy.
        retrieval: what else the split is made of, if images are ranked.
    """

    sha256: str
    labels: NDArray[np.int64]
    retrieval: RetrievalSplit | None = None

    @classmethod
    def of(
        cls,
        images: NDArray[np.uint8] | ImageFiles,
        labels: NDArray[np.int64],
        data_root: Path,
        retrieval: RetrievalSplit | None = None,
    ) -> SplitContent:
        """Images uint8 [N, H, W, C], labels int64 [N]. Raises DatasetError if a file has gone."""
        try:
            digest = split_sha256(images, labels, retrieval, data_root=data_root)
        except FileNotFoundError as error:
            raise DatasetError(f"{error.filename} is in the list and not in the folder") from error
        return cls(digest, np.array(labels), retrieval)

    def changes(self, images: NDArray[np.uint8] | ImageFiles, labels: Tensor) -> Iterator[str]:
        """Which part of the split, as it is now, differs: "images", "labels".

        Images in files are read anew for each batch, so there are none that a run could change.
        """
        present = labels.cpu().numpy()
        if not np.array_equal(present, self.labels):
            yield "labels"
        if isinstance(images, ImageFiles):
            return
        if split_sha256(images, self.labels, self.retrieval) != self.sha256:
            yield "images"
