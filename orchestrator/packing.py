"""Missing cells → the order in which they run, the stacks they form, what a trial takes.

A stack is an optimisation of the launch and no part of a cell: which cells share one may differ
from launch to launch.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.cell import Cell
from trainables.stacking import stack_group

GPU_STACK = 45
"""Members of a stack on a GPU under `auto`: a multilayer perceptron alone is bound by the launching
of its kernels there. On a CPU stacks gain nothing at the widths of the sources (benchmarks)."""


class Resources(BaseModel):
    """What one trial takes; never part of a cell.

    Args:
        cpus_per_trial: CPU cores, and threads of a trial that runs on them.
        gpus_per_trial: share of a GPU; `auto` takes one where the cluster has any.
        max_concurrent: trials at the same time; None for as many as fit.
        stack: cells trained together as one batched model, where the architecture allows: a number,
            `off`, or `auto` (stacks on a GPU, none on a CPU).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    cpus_per_trial: Annotated[int, Field(ge=1)] = 1
    gpus_per_trial: Annotated[float, Field(ge=0)] | Literal["auto"] = "auto"
    max_concurrent: Annotated[int, Field(ge=1)] | None = None
    stack: Annotated[int, Field(ge=1)] | Literal["auto", "off"] = "auto"

    @property
    def asks_for_stacks(self) -> bool:
        """Whether the study insists on stacks, so that an architecture without is an error."""
        return isinstance(self.stack, int) and self.stack > 1

    def stack_size(self, device: str) -> int:
        """Most members of a stack on `device`."""
        if isinstance(self.stack, int):
            return self.stack
        return GPU_STACK if self.stack == "auto" and device != "cpu" else 1


def order_trials(cells: Iterable[Cell]) -> tuple[Cell, ...]:
    """Each cell once, seed by seed, so that the whole table exists early; longest first within."""
    distinct = {cell.key: cell for cell in cells}
    return tuple(sorted(distinct.values(), key=lambda c: (c.config.seed, -c.config.epochs)))


def form_stacks(cells: Sequence[Cell], size: int, slots: int) -> list[tuple[Cell, ...]]:
    """Cells in order → trials in order; a cell that cannot be stacked is a trial of its own.

    Args:
        size: most members of a stack.
        slots: trials that run at once; a group is cut so that each of them has a share.
    """
    groups: dict[Hashable, list[Cell]] = {}
    for cell in cells:
        group = stack_group(cell.config) if size > 1 else None
        groups.setdefault(cell.key if group is None else group, []).append(cell)
    position = {cell.key: place for place, cell in enumerate(cells)}
    stacks = [
        stack
        for group in groups.values()
        for stack in _cut(group, min(size, math.ceil(len(group) / max(1, slots))))
    ]
    return sorted(stacks, key=lambda stack: position[stack[0].key])


def _cut(group: Sequence[Cell], size: int) -> list[tuple[Cell, ...]]:
    """As even as can be: no stack of one is left over."""
    count = math.ceil(len(group) / size)
    bounds = [round(part * len(group) / count) for part in range(count + 1)]
    return [tuple(group[low:high]) for low, high in pairwise(bounds)]
