"""Golden runs of optimizers and schedules: a fixed quadratic, a few epochs."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from tests.golden.figures import Figure, double
from trainables.config import Choice
from trainables.optimizers import OPTIMIZERS
from trainables.optimizers.sgd import SGD
from trainables.schedules import SCHEDULES, IterationSchedule, factor, is_gradual
from trainables.training.gradients import Shaping
from trainables.training.optimizer_step import LoneUpdates, StackedUpdates, Updates

EPOCHS = range(1, 13)
UPDATES = range(12)
STEPS_AN_EPOCH = 8
START, CURVATURE, MINIMUM = (1.0, -2.0, 0.5), (1.0, 3.0, 0.25), (0.0, 1.0, -1.0)
RATES = (0.1, 0.1, 0.05)
"""Learning rate of each step; the last one as after a milestone."""

EXACT = 1e-12


def schedule_figures(choice: Choice) -> Mapping[str, Figure]:
    """Factor on the learning rate in each epoch, or of each update."""
    schedule = SCHEDULES.build(choice)
    if isinstance(schedule, IterationSchedule):
        return {"factor": double(map(schedule.after, UPDATES), "update", relative=EXACT)}
    epochs = [factor(schedule, epoch, 0, STEPS_AN_EPOCH) for epoch in EPOCHS]
    found = {"factor": double(epochs, "epoch", relative=EXACT)}
    if is_gradual(schedule):
        within = [factor(schedule, 2, step, STEPS_AN_EPOCH) for step in range(STEPS_AN_EPOCH)]
        found["factor within an epoch"] = double(within, "update", relative=EXACT)
    return found


def optimizer_figures(choice: Choice) -> Mapping[str, Figure]:
    """Weights after three steps, of a lone network and of the second of a stack."""
    rule = OPTIMIZERS.build(choice)
    lone = nn.Parameter(torch.tensor(START, dtype=torch.float64))
    shaping = Shaping(getattr(rule, "l1", 0.0))
    alone = LoneUpdates(rule([lone], RATES[0]), [lone], shaping, None)
    found = {"lone": _descended(lone, alone, 1)}
    if isinstance(rule, SGD):
        stacked = nn.Parameter(torch.tensor([MINIMUM, START], dtype=torch.float64))
        found["stacked"] = _descended(
            stacked, StackedUpdates([stacked], rule, shaping, [None, None]), 2
        )
    return found


def _descended(weight: nn.Parameter, updates: Updates, members: int) -> Figure:
    curvature, minimum = (torch.tensor(x, dtype=torch.float64) for x in (CURVATURE, MINIMUM))
    for rate in RATES:
        updates.set_learning_rates([rate] * members)
        updates.zero_grad()
        (curvature * (weight - minimum) ** 2 / 2).sum().backward()
        updates.step()
    # A stack keeps its rates in float32, which leaves nine digits.
    relative = EXACT if members == 1 else 1e-7
    return double(weight.detach().view(members, -1)[-1], "weight", relative=relative)
