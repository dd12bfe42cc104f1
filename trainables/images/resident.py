"""A data set on the device, loaded once per worker process and never written to.

What it held then is known, so that a run can tell whether somebody did write into it.

Labels always; images too, unless the data set is a folder of files, too large for any memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
from trainables.images.source import ImageSource, ResidentImages, StreamedImages
from trainables.isolation.attestation import SplitContent
from trainables.registry import ComponentError


@dataclass(frozen=True)
class ResidentData:
    """Images and true labels int64 [N] of both splits, and what they were when they were loaded."""

    info: DatasetInfo
    train_images: ImageSource
    train_labels: Tensor
    test_images: ImageSource
    test_labels: Tensor
    train_content: SplitContent
    test_content: SplitContent
    retrieval: RetrievalSplit | None = None

    def changes(self) -> list[str]:
        """What is no longer as it was loaded: "training labels", "test images", …"""
        train = self.train_content.changes(self.train_images.content(), self.train_labels)
        test = self.test_content.changes(self.test_images.content(), self.test_labels)
        return [*(f"training {part}" for part in train), *(f"test {part}" for part in test)]

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
        SplitContent.of(arrays.train_images, arrays.train_labels, data_root),
        SplitContent.of(arrays.test_images, arrays.test_labels, data_root, arrays.retrieval),
        arrays.retrieval,
    )


@contextmanager
def data_dropped_after_errors() -> Iterator[None]:
    """Whatever went wrong may have written into the data: the next run loads them anew."""
    try:
        yield
    except ComponentError:  # found before anything is trained
        raise
    except Exception:
        resident_data.cache_clear()
        raise


def _source(images: NDArray[np.uint8] | ImageFiles, device: str) -> ImageSource:
    """From uint8 [N, H, W, C], in memory or in files."""
    if isinstance(images, ImageFiles):
        return StreamedImages(images, device)
    # On a CPU a view: where a file is mapped, the workers of a machine share its pages.
    return ResidentImages(torch.from_numpy(images).permute(0, 3, 1, 2).to(device))
