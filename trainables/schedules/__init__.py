"""Learning-rate schedules: how the rate changes as training goes on.

A schedule is one of three kinds, told apart by its methods: `schedule(epoch)` for a rate that is
constant within an epoch, `at(progress)` for one that follows a share of an epoch, and
`after(iterations)` for one that counts updates. Each gives a factor on the initial learning rate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from trainables.registry import Registry

EpochSchedule = Callable[[int], float]
"""1-based epoch → factor on the initial learning rate."""


@runtime_checkable
class GradualSchedule(Protocol):
    """A schedule that may change within an epoch, at a share of it."""

    @property
    def is_gradual(self) -> bool:
        """Whether it does."""

    def at(self, progress: float) -> float:
        """Factor for the update before which so many epochs, not only whole ones, are done."""


@runtime_checkable
class IterationSchedule(Protocol):
    """A schedule that counts updates, so that the rate may change within an epoch."""

    def after(self, iterations: int) -> float:
        """Factor on the initial learning rate for the update that follows so many."""


Schedule = EpochSchedule | GradualSchedule | IterationSchedule

SCHEDULES: Registry[Schedule] = Registry(
    "schedule",
    {
        "constant": "trainables.schedules.drops",
        "step": "trainables.schedules.drops",
        "exponential": "trainables.schedules.drops",
        "iteration_step": "trainables.schedules.drops",
        "cosine": "trainables.schedules.descents",
        "linear": "trainables.schedules.descents",
        "one_cycle": "trainables.schedules.descents",
    },
    group="orchestrator.schedules",
)


def is_gradual(schedule: Schedule) -> bool:
    """Whether the learning rate may change within an epoch."""
    if isinstance(schedule, IterationSchedule):
        return True
    return isinstance(schedule, GradualSchedule) and schedule.is_gradual


def factor(schedule: Schedule, epoch: int, steps: int, steps_an_epoch: int) -> float:
    """Of the update that follows `steps` updates of the 1-based `epoch`."""
    if isinstance(schedule, IterationSchedule):
        return schedule.after((epoch - 1) * steps_an_epoch + steps)
    if isinstance(schedule, GradualSchedule):
        return schedule.at(epoch - 1 + steps / steps_an_epoch)
    return schedule(epoch)
