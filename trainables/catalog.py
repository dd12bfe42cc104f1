"""Which registry answers for which field of a `TrainingConfig`.

The sweep asks here, and only here, whether a configuration is sound, what its defaults are and
which revisions its components have; component modules are imported when first named.
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from trainables.architectures import ARCHITECTURES
from trainables.augment import AUGMENTATIONS
from trainables.config import Choice, TrainingConfig
from trainables.datasets import DATASETS
from trainables.losses import LOSSES
from trainables.noise import NOISES
from trainables.normalization import NORMALIZATIONS
from trainables.optimization import OPTIMIZERS, SCHEDULES
from trainables.registry import ComponentError, Registry

REGISTRIES: dict[str, Registry[Any]] = {
    "dataset": DATASETS,
    "architecture": ARCHITECTURES,
    "loss": LOSSES,
    "noise": NOISES,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "augmentation": AUGMENTATIONS,
    "normalization": NORMALIZATIONS,
}
"""Field of TrainingConfig → registry of the components it may name."""


def resolve(config: TrainingConfig) -> TrainingConfig:
    """`config` with every component's parameters explicit and canonical.

    Raises ComponentError with `key` = field, or field.parameter, of the first unsound choice.
    """
    return replace(config, **{name: _resolve_field(config, name) for name in REGISTRIES})


def choices(config: TrainingConfig) -> dict[str, Choice]:
    """Field → choice, list fields as `augmentation[0]`, …"""
    found: dict[str, Choice] = {}
    for item in fields(config):
        value = getattr(config, item.name)
        if isinstance(value, Choice):
            found[item.name] = value
        elif item.name in REGISTRIES:
            found |= {f"{item.name}[{index}]": choice for index, choice in enumerate(value)}
    return found


def revisions(config: TrainingConfig) -> dict[str, int]:
    """Field → revision of the component it names."""
    return {
        name: REGISTRIES[name.partition("[")[0]].component(choice.name).revision
        for name, choice in choices(config).items()
    }


def without_defaults(field: str, choice: Choice) -> Choice:
    """`choice` with the parameters dropped that equal the component's defaults."""
    parameters = REGISTRIES[field].component(choice.name).parameters
    kept = {
        name: value
        for name, value in choice.parameters
        if parameters[name].is_required or value != parameters[name].default
    }
    return Choice.of(choice.name, kept)


def _resolve_field(config: TrainingConfig, field: str) -> Choice | tuple[Choice, ...]:
    value = getattr(config, field)
    if isinstance(value, Choice):
        return _resolve_choice(field, value)
    return tuple(_resolve_choice(field, choice) for choice in value)


def _resolve_choice(field: str, choice: Choice) -> Choice:
    try:
        return REGISTRIES[field].resolve(choice)
    except ComponentError as error:
        error.key = f"{field}.{error.key}" if error.key else field
        raise
