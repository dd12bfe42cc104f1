"""Missing cells → the order in which they run, and what each trial takes of the cluster."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.cell import Cell


class Resources(BaseModel):
    """What one trial takes; never part of a cell.

    Args:
        cpus_per_trial: CPU cores, and threads of a trial that runs on them.
        gpus_per_trial: share of a GPU; `auto` takes one where the cluster has any.
        max_concurrent: trials at the same time; None for as many as fit.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    cpus_per_trial: Annotated[int, Field(ge=1)] = 1
    gpus_per_trial: Annotated[float, Field(ge=0)] | Literal["auto"] = "auto"
    max_concurrent: Annotated[int, Field(ge=1)] | None = None


def order_trials(cells: Iterable[Cell]) -> tuple[Cell, ...]:
    """Each cell once, seed by seed, so that the whole table exists early; longest first within."""
    distinct = {cell.key: cell for cell in cells}
    return tuple(sorted(distinct.values(), key=lambda c: (c.config.seed, -c.config.epochs)))
