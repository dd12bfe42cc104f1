"""Reading the pickled batches of CIFAR without running what a pickle may ask for.

Only plain containers, numbers, text and NumPy arrays are rebuilt; anything else is refused. Knows
no data set.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

from trainables.datasets import DatasetError

ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): ("numpy._core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"): ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"): ("numpy", "ndarray"),
    ("numpy", "dtype"): ("numpy", "dtype"),
}
"""What a pickled array asks for, by its name at the time → its name today."""


class _PlainUnpickler(pickle.Unpickler):
    """Finds what a NumPy array needs, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(*ALLOWED[module, name])


def read_batch(content: bytes, origin: str) -> dict[bytes, Any]:
    """The dictionary in a pickled batch. Raises DatasetError unless it holds plain data only."""
    try:
        batch = _PlainUnpickler(io.BytesIO(content), encoding="bytes").load()
    # A malformed pickle may fail in any of these ways.
    except (pickle.UnpicklingError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise DatasetError(f"{origin} is not a batch of plain arrays: {error}") from error
    except (EOFError, AttributeError, ImportError, MemoryError) as error:
        raise DatasetError(f"{origin} is not a batch of plain arrays: {error}") from error
    if not isinstance(batch, dict):
        raise DatasetError(f"{origin} is not a batch of plain arrays")
    return batch
