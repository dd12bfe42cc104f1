"""Which operations make the host wait for the device, found without one.

A step that holds such an operation cannot be recorded (`trainables.training.cuda_graph`), and
leaves a GPU idle while the host looks at the answer.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

HOST_READS = {
    "_local_scalar_dense": "item",
    "_unique2": "unique",
    "bincount": "bincount",
    "equal": "equal",
    "masked_select": "masked_select",
    "nonzero": "nonzero",
}
"""Operations whose result, or its shape, the host has to wait for: name in torch → name in use."""

INDEXING = {"index", "index_put", "index_put_"}
"""So do these where an index is a mask, which selects as many entries as it happens to."""


class HostReads(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Collects such operations while it is entered, whatever device the tensors are on."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: set[str] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if name := host_read(func, args):
            self.names.add(name)
        return func(*args, **(kwargs or {}))


def host_read(func: Any, args: tuple[Any, ...]) -> str | None:
    """What an operation is called if the host waits for it, else None."""
    name = func.overloadpacket.__name__
    if name in INDEXING and any(i is not None and i.dtype == torch.bool for i in args[1]):
        return "indexing by a mask"
    return HOST_READS.get(name)
