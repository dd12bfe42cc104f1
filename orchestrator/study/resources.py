"""What a trial takes of a machine; never part of a cell."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

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
