"""Stops a loss whose cells keep failing in the same way, so that one bug costs a few cells only."""

from __future__ import annotations

from collections import Counter

LIMIT = 3
"""Identical failures of one loss after which its other cells are not started."""


class Breaker:
    """Counts equal failures by loss; open for a loss once `limit` of them are equal.

    Args:
        limit: how many failures with the same trace open it.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._failures: Counter[tuple[str, str]] = Counter()
        self._open: dict[str, int] = {}

    def record(self, loss: str, trace: str) -> bool:
        """Note a failure. True if it is the one that opens the breaker for this loss."""
        self._failures[loss, trace] += 1
        opens = loss not in self._open and self._failures[loss, trace] >= self._limit
        if opens:
            self._open[loss] = 0
        return opens

    def stops(self, loss: str) -> bool:
        """Whether cells of this loss are held back. Each question about one counts it."""
        if loss not in self._open:
            return False
        self._open[loss] += 1
        return True

    def is_open(self, loss: str) -> bool:
        """Whether cells of this loss are held back."""
        return loss in self._open

    @property
    def held_back(self) -> dict[str, int]:
        """Loss → cells that were not started because of it."""
        return {loss: count for loss, count in self._open.items() if count}
