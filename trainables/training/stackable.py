"""Which runs can be trained as one stack. Loads no torch, so that a plan can ask.

Whether an architecture can is what it declares; `trainables.training.stack_contract` tries it.
Members share every batched operation, hence data, widths, batch size, augmentation, precision and
update rule; what enters per member (loss, logit bias, noise, learning rate and its schedule,
seeds) may differ.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from trainables.architectures import ARCHITECTURES, Architecture
from trainables.config import TrainingConfig
from trainables.datasets import dataset_info
from trainables.registry import ParameterError

STACKED_RULES = ("sgd",)
"""Update rules with a learning rate for each member."""


class StackError(ParameterError):
    """These runs cannot be trained together; each of them can be trained alone."""


def declares_stackable(build: Architecture) -> bool:
    """Whether an architecture has `stackable = True`, as a class, an object or a function."""
    return getattr(getattr(build, "func", build), "stackable", False) is True


def stack_group(config: TrainingConfig) -> Hashable | None:
    """Equal for runs that can share a stack; None for one that trains alone.

    Args:
        config: resolved.
    """
    if not declares_stackable(ARCHITECTURES.build(config.architecture)):
        return None
    if dataset_info(config.dataset).is_retrieval or config.optimizer.name not in STACKED_RULES:
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
        config.clip_norm,
        config.precision,
    )


def require_one_stack(configs: Sequence[TrainingConfig]) -> None:
    """Raises StackError if these runs cannot be trained together; one run always can."""
    if len(configs) == 1:
        return
    groups = {stack_group(config) for config in configs}
    if None in groups:
        alone = next(c for c in configs if stack_group(c) is None)
        raise StackError(
            f"{alone.architecture.name} cannot be stacked: it does not declare `stackable = True`",
            key="architecture",
        )
    if len(groups) > 1:
        raise StackError(
            "members of a stack may differ in loss, noise, learning rate and seeds only"
        )
