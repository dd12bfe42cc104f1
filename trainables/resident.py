"""A data set as tensors on the device, loaded once per worker process and never written to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.config import Choice
from trainables.datasets import DatasetInfo, load_dataset


@dataclass(frozen=True)
class ResidentData:
    """Images uint8 [N, C, H, W] and true labels int64 [N] of both splits, on one device."""

    info: DatasetInfo
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor


@lru_cache(maxsize=2)
def resident_data(dataset: Choice, data_root: Path, device: str) -> ResidentData:
    """The data set on `device`; the last two asked for stay there. Raises DatasetError."""
    info, arrays = load_dataset(dataset, data_root)
    return ResidentData(
        info,
        _images(arrays.train_images).to(device),
        torch.from_numpy(np.array(arrays.train_labels)).to(device),
        _images(arrays.test_images).to(device),
        torch.from_numpy(np.array(arrays.test_labels)).to(device),
    )


def _images(images: NDArray[np.uint8]) -> Tensor:
    """uint8 [N, H, W, C] → contiguous uint8 [N, C, H, W]."""
    return torch.from_numpy(np.array(images.transpose(0, 3, 1, 2), order="C"))
