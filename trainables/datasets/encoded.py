"""Parquet tables of encoded images, the form in which hubs publish data sets.

Columns: `image` (the bytes of a PNG, JPEG, WebP, …, or a struct with `bytes`) and `label`. Shards
are files `train*.parquet` and `test*.parquet`, read in the order of their names.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from trainables.datasets import DatasetError, ImageArrays


def find_tables(folder: Path) -> tuple[list[Path], list[Path]]:
    """Shards of the training and of the test split; empty lists if there are none."""
    return sorted(folder.glob("train*.parquet")), sorted(folder.glob("test*.parquet"))


def read_tables(train: Sequence[Path], test: Sequence[Path]) -> ImageArrays:
    """Decode both splits. Raises DatasetError."""
    return ImageArrays(*_read_split(train), *_read_split(test))


def _read_split(shards: Sequence[Path]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    import pyarrow.parquet as pq

    images, labels = [], []
    for shard in shards:
        table = pq.read_table(shard, columns=["image", "label"])
        images += [_decode(value, shard) for value in table["image"].to_pylist()]
        labels.append(np.asarray(table["label"], dtype=np.int64))
    return np.stack(images), np.concatenate(labels)


def _decode(value: Any, shard: Path) -> NDArray[np.uint8]:
    """uint8 [H, W, 3] of one encoded image."""
    content = value["bytes"] if isinstance(value, dict) else value
    try:
        return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise DatasetError(f"{shard} holds an image that cannot be decoded: {error}") from error
