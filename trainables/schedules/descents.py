"""Rates that fall smoothly over a known number of epochs, and the cycle of one rise and one fall.

`epochs` left out is the number of epochs of the cell; the study writes that number into the cell,
so that a run which is stopped early, or begun again for a first epoch, has the same rates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from trainables.registry import ParameterError, Range
from trainables.schedules import SCHEDULES
from trainables.schedules.warm_up import WarmedUp, WarmUp

Epochs = Annotated[int | None, Range(1)]


@SCHEDULES.register("cosine")
@dataclass(frozen=True)
class Cosine(WarmedUp):
    """Half a cosine from 1 to `floor`, in steps of an epoch.

    The 1-based epoch e of E has the factor floor + (1 - floor) (1 + cos(π (e - 1) / E)) / 2, so the
    last one stays above the floor. With a warm-up of w epochs the cosine spans the E - w after it.

    Args:
        epochs: E; None (default) for those of the cell. Afterwards the rate stays at the floor.
        floor: [0, 1], as a share of the initial rate, default 0.
        warm_up: epochs in which the rate first grows from 0, step by step; default 0.

    Source: Loshchilov & Hutter (arXiv 1608.03983), without restarts.
    """

    epochs: Epochs = None
    floor: Annotated[float, Range(0, 1)] = 0.0
    warm_up: WarmUp = 0.0

    def of_epoch(self, epoch: int) -> float:
        """Factor of a 1-based epoch."""
        share = _share_done(epoch, self.epochs, self.warm_up)
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * share)) / 2


@SCHEDULES.register("linear")
@dataclass(frozen=True)
class Linear(WarmedUp):
    """A line from 1 to `floor`, in steps of an epoch.

    Args:
        epochs: E; None (default) for those of the cell. Afterwards the rate stays at the floor.
        floor: [0, 1], as a share of the initial rate, default 0.
        warm_up: epochs in which the rate first grows from 0, step by step; default 0.
    """

    epochs: Epochs = None
    floor: Annotated[float, Range(0, 1)] = 0.0
    warm_up: WarmUp = 0.0

    def of_epoch(self, epoch: int) -> float:
        """Factor of a 1-based epoch."""
        share = _share_done(epoch, self.epochs, self.warm_up)
        return self.floor + (1 - self.floor) * (1 - share)


@SCHEDULES.register("one_cycle")
@dataclass(frozen=True)
class OneCycle:
    """Up from 1 / `start` of the rate to the rate, then down to nearly 0; half cosines, each step.

    The learning rate of the cell is the highest one.

    Args:
        epochs: length of the cycle; None (default) for those of the cell.
        rise: share of the cycle in which the rate grows, (0, 1), default 0.3.
        start: what the rate is divided by at first, >= 1, default 25.
        end: what the first rate is divided by at last, >= 1, default 10,000.

    Source: Smith & Topin (arXiv 1708.07120); the defaults are torch's.
    """

    epochs: Epochs = None
    rise: Annotated[float, Range(0, 1, low_open=True, high_open=True)] = 0.3
    start: Annotated[float, Range(1)] = 25.0
    end: Annotated[float, Range(1)] = 10_000.0

    @property
    def is_gradual(self) -> bool:
        return True

    def at(self, progress: float) -> float:
        """Factor where so many epochs are done."""
        done = min(progress / _known(self.epochs), 1.0)
        low, last = 1 / self.start, 1 / self.start / self.end
        if done < self.rise:
            return _between(low, 1.0, done / self.rise)
        return _between(1.0, last, (done - self.rise) / (1 - self.rise))


def _between(start: float, end: float, share: float) -> float:
    """Along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def _share_done(epoch: int, epochs: int | None, warm_up: float) -> float:
    """Of the descent, at the start of a 1-based epoch; 1 where it is over, or all is warm-up."""
    length = _known(epochs) - warm_up
    return min(1.0, max(0.0, (epoch - 1 - warm_up) / length)) if length > 0 else 1.0


def _known(epochs: int | None) -> int:
    if epochs is None:
        raise ParameterError("a schedule that falls needs its 'epochs'", key="epochs")
    return epochs
