"""The IDX format of the MNIST family."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.datasets import DatasetError

UNSIGNED_BYTE = 0x08


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Array of an IDX file of unsigned bytes, gzipped or not. Raises DatasetError."""
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != UNSIGNED_BYTE:
        raise DatasetError(f"{path} is not an IDX file of unsigned bytes")
    rank = content[3]
    shape = tuple(int(n) for n in np.frombuffer(content, ">i4", rank, offset=4))
    start = 4 + 4 * rank
    if len(content) - start != math.prod(shape):
        raise DatasetError(f"{path} holds {len(content) - start} values, its header says {shape}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
