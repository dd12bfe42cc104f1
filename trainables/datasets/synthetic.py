"""A stand-in with the shape and classes of another data set, for smoke runs without its files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.config import Choice
from trainables.datasets import DATASETS, DatasetInfo, ImageArrays, dataset_info


@DATASETS.register("synthetic")
@dataclass(frozen=True)
class Synthetic:
    """Each class is a fixed random pattern under noise: learnable in an epoch, always the same.

    Args:
        like: data set whose shape, classes, statistics and class maps it takes.
        images: training images; there are half as many test images.
    """

    like: str = "cifar10"
    images: int = 1024

    @property
    def info(self) -> DatasetInfo:
        return replace(dataset_info(Choice(self.like)), name="synthetic")

    def load(self, data_root: Path) -> ImageArrays:
        """Drawn, not read; `data_root` is not needed."""
        del data_root
        channels, height, width = self.info.image_shape
        rng = np.random.default_rng(20240)
        patterns = rng.integers(0, 256, (self.info.num_classes, height, width, channels))
        return ImageArrays(
            *_draw(rng, patterns, self.images), *_draw(rng, patterns, max(1, self.images // 2))
        )


def _draw(
    rng: np.random.Generator, patterns: NDArray[np.int64], count: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    labels = np.arange(count, dtype=np.int64) % len(patterns)
    noise = rng.integers(-96, 97, (count, *patterns.shape[1:]))
    return np.clip(patterns[labels] + noise, 0, 255).astype(np.uint8), labels
