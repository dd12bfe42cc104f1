"""Fewer trials at once after a machine has run out of memory, and an end if one is too many."""

from __future__ import annotations

from dataclasses import dataclass

FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 60.0

MOST_ALONE = 3
"""Runs in a row of one trial at a time that lacked memory and ended no cell, before giving up."""


@dataclass
class MemoryPressure:
    """How many trials may run at once, and how long to wait after a shortage.

    Args:
        limit: of the study; None for as many as there are slots.
    """

    limit: int | None = None
    _in_a_row: int = 0
    _alone: int = 0

    def met(self, slots: int, *, has_settled: bool) -> float:
        """A run lacked memory. Returns the seconds to wait before the next one.

        Args:
            slots: trials that could run at once in it.
            has_settled: whether any of its cells ended.
        """
        at_once = min(slots, self.limit or slots)
        self._in_a_row = 1 if has_settled else self._in_a_row + 1
        self._alone = 0 if has_settled or at_once > 1 else self._alone + 1
        self.limit = max(1, at_once // 2)
        return min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** (self._in_a_row - 1))

    @property
    def is_hopeless(self) -> bool:
        """Whether memory does not even suffice for one trial at a time."""
        return self._alone >= MOST_ALONE
