"""Per-channel normalisation of images scaled to [0, 1]: (x - mean) / std."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainables.registry import Registry

if TYPE_CHECKING:
    from trainables.datasets import DatasetInfo

Statistics = tuple[tuple[float, ...], tuple[float, ...]]
Normalization = Callable[["DatasetInfo"], Statistics]
"""Data set facts → (mean, std), one entry per channel."""

NORMALIZATIONS: Registry[Normalization] = Registry("normalization", {})


@NORMALIZATIONS.register("dataset")
@dataclass(frozen=True)
class DatasetStatistics:
    """Mean and standard deviation that the data set declares for its training images."""

    def __call__(self, dataset: DatasetInfo) -> Statistics:
        return dataset.mean, dataset.std


@NORMALIZATIONS.register("fixed")
@dataclass(frozen=True)
class FixedStatistics:
    """Given mean and standard deviation, one entry per channel (one entry serves all channels)."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, dataset: DatasetInfo) -> Statistics:
        channels = dataset.image_shape[0]
        mean = self.mean * channels if len(self.mean) == 1 else self.mean
        std = self.std * channels if len(self.std) == 1 else self.std
        return mean, std
