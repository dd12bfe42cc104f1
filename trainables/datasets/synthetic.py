"""A stand-in with the shape and classes of another data set, for smoke runs without its files."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from trainables.config import Choice
from trainables.datasets import DATASETS, DatasetInfo, ImageArrays, Presence, dataset_info
from trainables.registry import Range

DRAW = 20240
"""Seed of all images: a data set is the same in every run."""

PATCHES = 4
"""A pattern is a grid of 4 × 4 patches: coarse enough to survive crops."""


@DATASETS.register("synthetic")
@dataclass(frozen=True)
class Synthetic:
    """Each class is a fixed pattern of grey or coloured patches under noise: learnable quickly.

    Args:
        like: data set whose shape, classes, statistics and class maps it takes.
        images: training images, ≥ 1; there are half as many test images.
    """

    like: str = "cifar10"
    images: Annotated[int, Range(1)] = 10_000

    @property
    def info(self) -> DatasetInfo:
        return replace(
            dataset_info(Choice(self.like)),
            name="synthetic",
            num_train=self.images,
            num_test=max(1, self.images // 2),
            is_retrieval=False,
            labels_are_true=True,
            licence="",
            origin="drawn",
            stands_for=self.like,
        )

    def load(self, data_root: Path) -> ImageArrays:
        """Drawn, not read; `data_root` is not needed."""
        del data_root
        patterns = _patterns(self.info)
        train, test = np.random.default_rng(DRAW).spawn(2)
        return ImageArrays(
            *_draw(train, patterns, self.images), *_draw(test, patterns, max(1, self.images // 2))
        )

    def locate(self, data_root: Path) -> Presence:
        """Needs no files."""
        del data_root
        return Presence()


def _patterns(info: DatasetInfo) -> NDArray[np.uint8]:
    """uint8 [K, H, W, C], values 64 to 191, so that noise of ± 64 stays in range."""
    channels, height, width = info.image_shape
    rng = np.random.default_rng(DRAW)
    patches = rng.integers(64, 192, (info.num_classes, PATCHES, PATCHES, channels), dtype=np.uint8)
    rows, columns = np.arange(height) * PATCHES // height, np.arange(width) * PATCHES // width
    return patches[:, rows][:, :, columns]


def _draw(
    rng: np.random.Generator, patterns: NDArray[np.uint8], count: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images of classes 0, 1, …, K−1, 0, 1, …: pattern plus uniform noise of −64 to 63."""
    labels = np.arange(count, dtype=np.int64) % len(patterns)
    shape = (count, *patterns.shape[1:])
    noise = np.frombuffer(rng.bytes(math.prod(shape)), np.uint8).reshape(shape) >> 1
    images = noise + (patterns - np.uint8(64))[labels]
    return images, labels
