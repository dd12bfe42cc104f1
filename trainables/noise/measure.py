"""What label noise did: realised rate, transition matrix, digest of the label vector."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def realized_rate(true: Tensor, given: Tensor) -> float:
    """Share of labels that differ: int64 [N], int64 [N] → [0, 1]."""
    return float((true != given).double().mean())


def transition_matrix(
    true: Tensor, given: Tensor, num_classes: int
) -> tuple[tuple[float, ...], ...]:
    """Shares [K, K] of given label (column) within each true class (row); zeros if it is absent."""
    counts = (true * num_classes + given).bincount(minlength=num_classes**2).double()
    counts = counts.view(num_classes, num_classes)
    shares = counts / counts.sum(dim=1, keepdim=True).clamp(min=1)
    return tuple(tuple(row) for row in shares.tolist())


def labels_sha256(labels: Tensor) -> str:
    """SHA-256 of a label vector as little-endian int64."""
    return hashlib.sha256(labels.cpu().numpy().astype("<i8").tobytes()).hexdigest()
