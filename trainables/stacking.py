"""Which runs can be trained as one stack. Loads no torch, so that a plan can ask.

Members share every batched operation, hence data, widths, batch size, augmentation, precision and
update rule; what enters per member (loss, logit bias, noise, learning rate and its schedule, seeds)
may differ.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Protocol, runtime_checkable

from trainables.architectures import ARCHITECTURES
from trainables.config import TrainingConfig
from trainables.datasets import dataset_info
from trainables.registry import ParameterError


@runtime_checkable
class Stackable(Protocol):
    """An architecture that is a plain multilayer perceptron with ReLU: it says its widths."""

    hidden: tuple[int, ...]


def stack_group(config: TrainingConfig) -> Hashable | None:
    """Equal for runs that can share a stack; None for one that trains alone.

    Args:
        config: resolved.
    """
    if not isinstance(ARCHITECTURES.build(config.architecture), Stackable):
        return None
    if dataset_info(config.dataset).is_retrieval:
        return None
    return (
        config.dataset,
        config.architecture,
        config.optimizer,
        config.augmentation,
        config.normalization,
        config.epochs,
        config.batch_size,
        config.micro_batch,
        config.precision,
    )


def require_one_stack(configs: Sequence[TrainingConfig]) -> None:
    """Raises ParameterError if these runs cannot be trained together; one run always can."""
    if len(configs) == 1:
        return
    groups = {stack_group(config) for config in configs}
    if None in groups:
        alone = next(c for c in configs if stack_group(c) is None)
        raise ParameterError(
            f"{alone.architecture.name} cannot be stacked: only multilayer perceptrons can",
            key="architecture",
        )
    if len(groups) > 1:
        raise ParameterError(
            "members of a stack may differ in loss, noise, learning rate and seeds only"
        )
