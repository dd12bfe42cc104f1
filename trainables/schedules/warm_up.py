"""A rate that grows from 0 in the first epochs, then follows a schedule by epochs."""

from __future__ import annotations

from typing import Annotated

from trainables.registry import Range

WarmUp = Annotated[float, Range(0)]
"""Epochs, not only whole ones, in which the rate grows."""


class WarmedUp:
    """For schedules with a field `warm_up`: `of_epoch` says the rest.

    The update before which s epochs of a warm-up of w epochs are done has the factor s / w, so the
    first one changes nothing. Then the schedule goes on as if there had been no warm-up.
    """

    warm_up: float

    @property
    def is_gradual(self) -> bool:
        return self.warm_up > 0

    def at(self, progress: float) -> float:
        """Factor where so many epochs are done."""
        if progress < self.warm_up:
            return progress / self.warm_up
        return self.of_epoch(int(progress) + 1)

    def of_epoch(self, epoch: int) -> float:
        """Factor of a 1-based epoch without warm-up."""
        raise NotImplementedError
