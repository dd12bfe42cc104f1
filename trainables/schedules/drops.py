"""A constant rate, and rates that drop by a factor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from trainables.registry import Range
from trainables.schedules import SCHEDULES
from trainables.schedules.warm_up import WarmedUp, WarmUp


@SCHEDULES.register("constant")
@dataclass(frozen=True)
class Constant:
    """The initial learning rate throughout."""

    def __call__(self, epoch: int) -> float:
        del epoch
        return 1.0


@SCHEDULES.register("step")
@dataclass(frozen=True)
class Step(WarmedUp):
    """Multiply by `factor` after each of the `milestones` (epochs completed).

    Code that drops the rate *in* epochs 60, 120 and 160, counted from 1 and after an epoch of
    warm-up, as github.com/weiaicunzai/pytorch-cifar100 does, has the milestones [59, 119, 159].

    Args:
        milestones: epochs after which the rate drops, such as [100, 150].
        factor: (0, 1], default 0.1.
        warm_up: epochs in which the rate first grows from 0, step by step; default 0.
    """

    milestones: tuple[int, ...]
    factor: Annotated[float, Range(0, 1, low_open=True)] = 0.1
    warm_up: WarmUp = 0.0

    def of_epoch(self, epoch: int) -> float:
        """Factor of a 1-based epoch."""
        return self.factor ** sum(milestone < epoch for milestone in self.milestones)


@SCHEDULES.register("exponential")
@dataclass(frozen=True)
class Exponential:
    """Multiply by `factor` after every epoch; `factor` in (0, 1]."""

    factor: Annotated[float, Range(0, 1, low_open=True)]

    def __call__(self, epoch: int) -> float:
        return self.factor ** (epoch - 1)


@SCHEDULES.register("iteration_step")
@dataclass(frozen=True)
class IterationStep:
    """As `step`, with milestones in updates instead of epochs.

    Args:
        milestones: numbers of updates after which the rate drops, such as [32000, 48000].
        factor: (0, 1], default 0.1.
        stop: number of updates after which the rate is 0, so that no weight moves any more; None
            (default) for never. Running statistics of batch normalisation still take in the images
            of the rest of the last epoch.
    """

    milestones: tuple[int, ...]
    factor: Annotated[float, Range(0, 1, low_open=True)] = 0.1
    stop: Annotated[int | None, Range(1)] = None

    def after(self, iterations: int) -> float:
        """The factor; 0 from `stop` on."""
        if self.stop is not None and iterations >= self.stop:
            return 0.0
        return self.factor ** sum(milestone <= iterations for milestone in self.milestones)
