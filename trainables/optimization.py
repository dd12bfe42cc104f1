"""Update rules and learning-rate schedules."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Protocol, runtime_checkable

from trainables.registry import Range, Registry

if TYPE_CHECKING:
    from torch.nn import Parameter
    from torch.optim import Optimizer

OptimizerFactory = Callable[[Iterable["Parameter"], float], "Optimizer"]
EpochSchedule = Callable[[int], float]
"""1-based epoch → factor on the initial learning rate."""


@runtime_checkable
class IterationSchedule(Protocol):
    """A schedule that counts updates, so that the rate may change within an epoch."""

    def after(self, iterations: int) -> float:
        """Factor on the initial learning rate for the update that follows so many."""


Schedule = EpochSchedule | IterationSchedule

OPTIMIZERS: Registry[OptimizerFactory] = Registry("optimizer", {})
SCHEDULES: Registry[Schedule] = Registry("schedule", {}, group="orchestrator.schedules")


@OPTIMIZERS.register("sgd")
@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent with momentum and L2 weight decay, fused where torch can.

    Args:
        momentum: [0, 1), default 0.9.
        weight_decay: >= 0, default 0.
        nesterov: look-ahead form of the momentum, default False.
    """

    momentum: Annotated[float, Range(0, 1, high_open=True)] = 0.9
    weight_decay: Annotated[float, Range(0)] = 0.0
    nesterov: bool = False

    def __call__(self, parameters: Iterable[Parameter], learning_rate: float) -> Optimizer:
        import torch

        return torch.optim.SGD(
            parameters,
            lr=learning_rate,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            nesterov=self.nesterov,
            fused=True,
        )


@SCHEDULES.register("constant")
@dataclass(frozen=True)
class Constant:
    """The initial learning rate throughout."""

    def __call__(self, epoch: int) -> float:
        del epoch
        return 1.0


@SCHEDULES.register("step")
@dataclass(frozen=True)
class Step:
    """Multiply by `factor` after each of the `milestones` (epochs completed).

    Args:
        milestones: epochs after which the rate drops, such as [100, 150].
        factor: (0, 1], default 0.1.
    """

    milestones: tuple[int, ...]
    factor: Annotated[float, Range(0, 1, low_open=True)] = 0.1

    def __call__(self, epoch: int) -> float:
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
