"""A data set on the device, loaded once per worker process and never written to.

Labels always; images too, unless the data set is a folder of files, too large for any memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.config import Choice
from trainables.datasets import DatasetInfo, RetrievalSplit, load_dataset
from trainables.datasets.image_files import ImageFiles
from trainables.image_source import ImageSource, ResidentImages, StreamedImages


@dataclass(frozen=True)
class ResidentData:
    """Images and true labels int64 [N] of both splits."""

    info: DatasetInfo
    train_images: ImageSource
    train_labels: Tensor
    test_images: ImageSource
    test_labels: Tensor
    retrieval: RetrievalSplit | None = None

    @property
    def num_broken_images(self) -> int:
        """Images of both splits that could not be decoded and were blank."""
        return self.train_images.num_broken + self.test_images.num_broken


@lru_cache(maxsize=2)
def resident_data(dataset: Choice, data_root: Path, device: str) -> ResidentData:
    """The data set on `device`; the last two asked for stay there. Raises DatasetError."""
    info, arrays = load_dataset(dataset, data_root)
    return ResidentData(
        info,
        _source(arrays.train_images, device),
        torch.from_numpy(np.array(arrays.train_labels)).to(device),
        _source(arrays.test_images, device),
        torch.from_numpy(np.array(arrays.test_labels)).to(device),
        arrays.retrieval,
    )


def _source(images: NDArray[np.uint8] | ImageFiles, device: str) -> ImageSource:
    """From uint8 [N, H, W, C], in memory or in files."""
    if isinstance(images, ImageFiles):
        return StreamedImages(images, device)
    # On a CPU a view: where a file is mapped, the workers of a machine share its pages.
    return ResidentImages(torch.from_numpy(images).permute(0, 3, 1, 2).to(device))
