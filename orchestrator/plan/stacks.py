"""Missing cells → the order in which they run, the stacks they form, what a trial takes.

A stack is an optimisation of the launch and no part of a cell: which cells share one may differ
from launch to launch.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from itertools import pairwise

from orchestrator.study.cell import Cell
from trainables.training.stackable import stack_group


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
