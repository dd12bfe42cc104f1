"""The IDX format of the MNIST family: bytes → array. Knows no data set."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.datasets import DatasetError

UNSIGNED_BYTE = 0x08


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Array of an IDX file of unsigned bytes, gzipped or not. Raises DatasetError."""
    return parse_idx(read_unpacked(path), path)


def read_unpacked(path: Path) -> bytes:
    """Content of a file, unpacked if its name ends in `.gz`. Raises DatasetError."""
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error


def parse_idx(content: bytes, origin: Path) -> NDArray[np.uint8]:
    """Array of the content of an IDX file of unsigned bytes. Raises DatasetError."""
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != UNSIGNED_BYTE:
        raise DatasetError(f"{origin} is not an IDX file of unsigned bytes")
    rank = content[3]
    start = 4 + 4 * rank
    if len(content) < start:
        raise DatasetError(f"{origin} ends within its header")
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", rank, offset=4))
    if len(content) - start != math.prod(shape):
        raise DatasetError(f"{origin} holds {len(content) - start} values, its header says {shape}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
