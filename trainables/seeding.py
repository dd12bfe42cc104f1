"""One generator per (seed, purpose): the only source of randomness in a run.

Purposes are independent streams. None of them depends on the loss, so at equal seed all losses meet
the same noisy labels, initial weights, batch order and augmentation, and comparisons are paired.
Streams with an epoch depend on (seed, purpose, epoch) alone, so a resumed run needs no replay.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import torch

Purpose = Literal["noise", "weights", "order", "augmentation", "dropout"]


def derived_seed(seed: int, purpose: Purpose, epoch: int = 0) -> int:
    """A 63-bit seed from SHA-256 of (seed, purpose, epoch): stable across machines and versions."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{epoch}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, purpose: Purpose, epoch: int = 0) -> torch.Generator:
    """A CPU generator for one purpose: draws are the same whatever device the run uses."""
    import torch

    return torch.Generator().manual_seed(derived_seed(seed, purpose, epoch))
