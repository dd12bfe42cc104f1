"""Reading files of recorded labels by content, without running what a file may ask for."""

from __future__ import annotations

import hashlib
import io
import pickle
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from trainables.datasets import DatasetError

Labels = Mapping[str, NDArray[np.int64]]
"""Name of a label vector → int64 [N]."""


@dataclass(frozen=True)
class LabelFile:
    """A published file: its name, which also says its form (`.pt` or `.npz`), and its content."""

    name: str
    sha256: str

    def read(self, path: Path) -> Labels:
        """Every label vector in it. Raises DatasetError if it is not the published file."""
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise DatasetError(f"{path} is not the published file: its SHA-256 is another one")
        return read_pt(content, path.name) if path.suffix == ".pt" else read_npz(content, path.name)


def read_npz(content: bytes, origin: str) -> Labels:
    """An archive of NumPy vectors. Raises DatasetError for anything else."""
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return _vectors(dict(arrays.items()), origin)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DatasetError(f"{origin} is not an archive of label vectors: {error}") from error


def read_pt(content: bytes, origin: str) -> Labels:
    """A dictionary of NumPy vectors as `torch.save` wrote it. Raises DatasetError otherwise.

    Only the names that a NumPy array of whole numbers needs are resolved; any other is refused
    before it is called.
    """
    import torch

    refusal = f"{origin} is not a file of label vectors"
    if not zipfile.is_zipfile(io.BytesIO(content)):
        raise DatasetError(refusal)
    reconstruct = cast("Callable[..., object]", np.empty(0).__reduce__()[0])
    allowed: list[Callable[..., object] | tuple[Callable[..., object], str]] = [
        # The name in files of NumPy 1 and that in files of NumPy 2.
        (reconstruct, "numpy.core.multiarray._reconstruct"),
        (reconstruct, "numpy._core.multiarray._reconstruct"),
        np.ndarray,
        np.dtype,
        *(type(np.dtype(code)) for code in ("u1", "i1", "i2", "i4", "i8")),
    ]
    try:
        with torch.serialization.safe_globals(allowed):
            loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    # A malformed file may fail in any of these ways.
    except (
        pickle.UnpicklingError,
        struct.error,
        RuntimeError,
        EOFError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:
        raise DatasetError(refusal) from error
    if not isinstance(loaded, dict):
        raise DatasetError(refusal)
    return _vectors(loaded, origin)


def _vectors(arrays: Mapping[str, object], origin: str) -> Labels:
    return {name: _vector(array, f"{origin}: '{name}'") for name, array in arrays.items()}


def _vector(values: object, origin: str) -> NDArray[np.int64]:
    """An array or a list of whole numbers: int64 [N]."""
    if isinstance(values, list) and all(type(value) is int for value in values):
        return np.array(values, np.int64)
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "iu":
        return values.astype(np.int64)
    raise DatasetError(f"{origin} is not a vector of labels")
