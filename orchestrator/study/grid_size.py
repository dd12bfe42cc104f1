"""How many cells does a study ask for? Told from the lengths of its lists, before any is made."""

from __future__ import annotations

import math
from collections.abc import Iterator

from orchestrator.study.model import ALL, MOST_CELLS, Block, Phase, Study, too_many
from orchestrator.study.text import KeyPath, Source


def check_size(study: Study, source: Source) -> None:
    """Raises StudyError for a study of more than `MOST_CELLS`.

    A cell that two blocks ask for counts twice.
    """
    total = 0
    for name, phase in study.stages.items():
        total += _num_cells(study, phase)
        if total > MOST_CELLS:
            path: KeyPath = ("phases", name) if study.phases else _largest(study)
            raise source.error(too_many(total, "cells"), path)


def _num_cells(study: Study, phase: Phase) -> int:
    """Points of all blocks of a phase, at each of its seeds."""
    points = sum(math.prod(_lengths(study, phase, block)) for block in phase.blocks or (Block(),))
    return points * len(phase.seeds or study.seeds)


def _lengths(study: Study, phase: Phase, block: Block) -> Iterator[int]:
    """Values of each axis of a block; the fields of a zip are one axis."""
    for key, values in {**phase.grid, **block.grid}.items():
        if key == "loss" and values == ALL:
            yield len({**study.losses, **phase.losses, **block.losses})
        else:
            yield len(values) if isinstance(values, list) else 1
    for group in block.zip or phase.zip:
        yield len(next(iter(group.values()), ()))


def _largest(study: Study) -> KeyPath:
    """Where a study without phases says most of it."""
    if study.blocks:
        return ("blocks",)
    longest = math.prod(_lengths(study, study.stages["main"], Block()))
    return ("grid",) if longest > len(study.seeds) else ("seeds",)
