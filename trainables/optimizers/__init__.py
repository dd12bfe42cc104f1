"""Update rules: gradients → changes of the weights.

A rule is a callable `rule(parameters, learning_rate) -> torch.optim.Optimizer`. One that has a
field `l1` also adds that multiple of the sign of each weight to its gradient, before gradients are
clipped and before the rule sees them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from trainables.registry import Registry

if TYPE_CHECKING:
    from torch.nn import Parameter
    from torch.optim import Optimizer

OptimizerFactory = Callable[[Iterable["Parameter"], float], "Optimizer"]

OPTIMIZERS: Registry[OptimizerFactory] = Registry(
    "optimizer",
    {
        "sgd": "trainables.optimizers.sgd",
        "adam": "trainables.optimizers.adam",
        "adamw": "trainables.optimizers.adam",
    },
    group="orchestrator.optimizers",
)
