"""Parquet tables of encoded images, the form in which hubs publish data sets.

Columns: `image` or `img` (the bytes of a PNG, JPEG, WebP, …, or a struct with `bytes`) and `label`
or `fine_label`. Shards are files `train*.parquet` and `test*.parquet` (or `val*`), read in the
order of the numbers in their names. Knows no data set.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from trainables.datasets import DatasetError, ImageArrays
from trainables.datasets.bit_depth import eight_bits

IMAGE_COLUMNS = ("image", "img")
LABEL_COLUMNS = ("label", "fine_label")
TEST_SPLITS = ("test", "val")
ROWS_PER_BATCH = 4096


@dataclass(frozen=True)
class Tables:
    """Shards of both splits, in order."""

    train: tuple[Path, ...]
    test: tuple[Path, ...]

    @property
    def files(self) -> tuple[Path, ...]:
        return (*self.train, *self.test)


def find_tables(folder: Path) -> Tables | None:
    """Tables of both splits in a folder or one of its subfolders; None if there are none."""
    for place in (folder, *sorted(path for path in folder.glob("*") if path.is_dir())):
        train = _shards(place, "train")
        test = next((found for name in TEST_SPLITS if (found := _shards(place, name))), ())
        if train and test:
            return Tables(train, test)
    return None


def read_tables(tables: Tables, channels: int) -> ImageArrays:
    """Decode both splits to grey (1 channel) or RGB (3). Raises DatasetError."""
    return ImageArrays(*_read_split(tables.train, channels), *_read_split(tables.test, channels))


def _shards(folder: Path, split: str) -> tuple[Path, ...]:
    def numbers_as_numbers(path: Path) -> list[str]:
        return [word.zfill(12) for word in re.findall(r"\d+|\D+", path.name)]

    return tuple(sorted(folder.glob(f"{split}*.parquet"), key=numbers_as_numbers))


def _read_split(
    shards: Sequence[Path], channels: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    images, labels = [], []
    for shard in shards:
        for encoded, batch_labels in _batches(shard):
            images.append(_decode_batch(encoded, channels, shard))
            labels.append(batch_labels)
    if not images:
        raise DatasetError(f"{shards[0].parent} has tables without rows")
    if len({batch.shape[1:] for batch in images}) > 1:
        raise DatasetError(f"{shards[0].parent} holds images of different sizes")
    return np.concatenate(images), np.concatenate(labels)


def _batches(shard: Path) -> Iterator[tuple[list[Any], NDArray[np.int64]]]:
    """Encoded images and labels of a shard, some thousand rows at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(shard)
        image = column_of(table.schema_arrow.names, IMAGE_COLUMNS, shard)
        label = column_of(table.schema_arrow.names, LABEL_COLUMNS, shard)
        for batch in table.iter_batches(ROWS_PER_BATCH, columns=[image, label]):
            labels = batch.column(label).to_numpy(zero_copy_only=False)
            if not np.issubdtype(labels.dtype, np.integer):
                raise DatasetError(f"{shard}: '{label}' has values that are no class indices")
            yield batch.column(image).to_pylist(), labels.astype(np.int64)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{shard} cannot be read: {error}") from error


def column_of(names: Sequence[str], accepted: Sequence[str], shard: Path) -> str:
    """The first accepted name that a table has. Raises DatasetError."""
    for name in accepted:
        if name in names:
            return name
    raise DatasetError(f"{shard} has no column {' or '.join(accepted)}, but {', '.join(names)}")


def _decode_batch(encoded: Sequence[Any], channels: int, shard: Path) -> NDArray[np.uint8]:
    """uint8 [n, H, W, channels]."""
    mode = "L" if channels == 1 else "RGB"
    decoded = [_decode(value, mode, shard) for value in encoded]
    if len({image.shape for image in decoded}) != 1:
        raise DatasetError(f"{shard} holds images of different sizes")
    return np.stack(decoded).reshape(len(decoded), *decoded[0].shape[:2], channels)


def _decode(value: Any, mode: str, shard: Path) -> NDArray[np.uint8]:
    content = value.get("bytes") if isinstance(value, dict) else value
    if not isinstance(content, bytes):
        raise DatasetError(f"{shard} holds a row without the bytes of an image")
    name = value.get("path") if isinstance(value, dict) else None
    origin = f"{shard}: {name}" if name else f"{shard}: an image"
    try:
        with Image.open(io.BytesIO(content)) as image:
            return np.asarray(eight_bits(image, origin).convert(mode))
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError) as error:
        raise DatasetError(f"{shard} holds an image that cannot be decoded: {error}") from error
