"""Reading the pickled batches of CIFAR without running what a pickle may ask for.

Only plain containers, numbers, text and NumPy arrays are rebuilt; anything else is refused.
"""

from __future__ import annotations

import io
import pickle
from typing import Any, ClassVar

from trainables.datasets import DatasetError


class _PlainUnpickler(pickle.Unpickler):
    """Knows the four names that a pickled NumPy array needs, and no others."""

    _ALLOWED: ClassVar = {
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        if name == "_reconstruct":
            from numpy._core.multiarray import _reconstruct

            return _reconstruct
        return super().find_class(module, name)


def read_batch(content: bytes, origin: str) -> dict[bytes, Any]:
    """The dictionary in a pickled batch. Raises DatasetError unless it holds plain data only."""
    try:
        batch = _PlainUnpickler(io.BytesIO(content), encoding="bytes").load()
    except (pickle.UnpicklingError, EOFError, ValueError, AttributeError, IndexError) as error:
        raise DatasetError(f"{origin} is not a batch of plain arrays: {error}") from error
    if not isinstance(batch, dict):
        raise DatasetError(f"{origin} is not a batch of plain arrays")
    return batch
