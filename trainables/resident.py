"""A data set as tensors, loaded once per worker process and never written to.

On the device, unless the data set is too large for any: then its images stay memory mapped.
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
from trainables.datasets import DatasetInfo, load_dataset


@dataclass(frozen=True)
class ResidentData:
    """Images uint8 [N, C, H, W] and true labels int64 [N] of both splits.

    Labels lie on the device; images too, or memory mapped on the host if the data set is large.
    """

    info: DatasetInfo
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor


@lru_cache(maxsize=2)
def resident_data(dataset: Choice, data_root: Path, device: str) -> ResidentData:
    """The data set on `device`; the last two asked for stay there. Raises DatasetError."""
    info, arrays = load_dataset(dataset, data_root)
    place = _mapped if info.is_large else _resident
    return ResidentData(
        info,
        place(arrays.train_images, device),
        torch.from_numpy(np.array(arrays.train_labels)).to(device),
        place(arrays.test_images, device),
        torch.from_numpy(np.array(arrays.test_labels)).to(device),
    )


def _resident(images: NDArray[np.uint8], device: str) -> Tensor:
    """uint8 [N, H, W, C] → contiguous uint8 [N, C, H, W] on the device."""
    return torch.from_numpy(np.array(images.transpose(0, 3, 1, 2), order="C")).to(device)


def _mapped(images: NDArray[np.uint8], device: str) -> Tensor:
    """uint8 [N, H, W, C] → the same memory as [N, C, H, W]; a batch is read when it is gathered."""
    del device
    return torch.from_numpy(images).permute(0, 3, 1, 2)
