"""Training losses: one file per family, each loss per sample and free of state.

`build_loss` is the public door. A loss is a callable `loss(logits [N, K], labels [N]) -> [N]`:
differentiable, any floating dtype, on the device of its input, class count read from the logits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from trainables.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

Loss = Callable[["Tensor", "Tensor"], "Tensor"]

LOSSES: Registry[Loss] = Registry(
    "loss",
    {
        "ce": "trainables.losses.ce",
        "mae": "trainables.losses.mae",
        "gce": "trainables.losses.gce",
    },
    group="orchestrator.losses",
)
