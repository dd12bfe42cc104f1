"""Which registry answers for which field of a `TrainingConfig`, and how plain values become one.

The sweep asks here, and only here, whether a configuration is sound, what its defaults are and
which revisions its components have. Component modules are imported when first named.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, get_type_hints

from trainables.architectures import ARCHITECTURES
from trainables.augment import AUGMENTATIONS, input_shape
from trainables.config import Choice, TrainingConfig
from trainables.datasets import DATASETS, dataset_info
from trainables.losses import LOSSES
from trainables.losses.published import with_published
from trainables.noise import NOISES
from trainables.normalization import NORMALIZATIONS
from trainables.optimizers import OPTIMIZERS
from trainables.registry import (
    ComponentError,
    Parameter,
    ParameterError,
    Range,
    Registry,
    nearest,
)
from trainables.schedules import SCHEDULES
from trainables.sources import ComponentSource, built_in_source, is_plug_in, shared_source
from trainables.theory.calibration import asks_for_numbers, settle

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

RANGES = {
    "learning_rate": Range(0, low_open=True),
    "epochs": Range(1),
    "batch_size": Range(1),
    "micro_batch": Range(1),
    "clip_norm": Range(0, low_open=True),
    "seed": Range(0),
    "noise_seed": Range(0),
}
"""Range of each plain numeric field."""

NAME_KEYS = {"noise": "kind"}
"""Fields whose component is named by another key than `name` in a study."""

CLEAN = Choice("none")

Components = Choice | tuple[Choice, ...]
"""What a field names: a component, or a list of them."""

_FIELDS = {item.name: item for item in dataclasses.fields(TrainingConfig)}

ENGINE = "engine"
"""Stands among the fields of a cell's sources for the code that all runs share."""


def build_config(fields: Mapping[str, Any]) -> TrainingConfig:
    """Plain study values → a resolved configuration.

    A component is a mapping with its `name` (noise: `kind`), or just the name. Noise of rate 0 is
    no noise, so that clean cells are shared between a noise grid and a learning-rate search. A
    loss's `defaults`, its `logit_bias: auto` and `calibrate` become numbers, the latter two for the
    class count of the data set.

    Raises ComponentError whose `key` is the field, or `field.parameter`, of the first bad value.
    """
    return ConfigBuilder().build(fields)


def builder() -> Callable[[Mapping[str, Any]], TrainingConfig]:
    """`build_config` for many runs, which share what they name."""
    return ConfigBuilder().build


def resolve(config: TrainingConfig) -> TrainingConfig:
    """`config` with every component's parameters explicit and canonical.

    Raises ComponentError with `key` = field, or field.parameter, of the first unsound choice.
    """
    return ConfigBuilder().resolve(config)


class ConfigBuilder:
    """`build_config` for many runs: a component that several of them name is checked once.

    Equal values become the same object, by which what belongs to a component can be looked up.
    """

    def __init__(self) -> None:
        # By the text of a value: 1, 1.0 and true are equal and not the same.
        self._read: dict[tuple[str, str], Components] = {}
        self._settled: dict[tuple[str, str], Any] = {}
        # By identity, which holds as long as the object is kept; the dictionaries above do that.
        self._resolved: dict[tuple[str, int], tuple[Components, Components]] = {}
        self._lengths: dict[tuple[int, int], tuple[Choice, Choice]] = {}
        self._checked: set[tuple[int, int, int, int, int | None]] = set()

    def build(self, fields: Mapping[str, Any]) -> TrainingConfig:
        """See `build_config`. Raises ComponentError."""
        for name in fields:
            if name not in _FIELDS:
                raise ParameterError(
                    f"a cell has no field '{name}'", key=name, nearest=nearest(name, _FIELDS)
                )
        for name, item in _FIELDS.items():
            if name not in fields and item.default is dataclasses.MISSING:
                raise ParameterError(f"every cell needs '{name}'", key=name)
        values: dict[str, Any] = {
            name: self._components(name, value) if name in REGISTRIES else _read_scalar(name, value)
            for name, value in self._with_settled_loss(fields).items()
        }
        return self.resolve(TrainingConfig(**values))

    def resolve(self, config: TrainingConfig) -> TrainingConfig:
        """See `resolve`. Raises ComponentError."""
        resolved = {name: self._resolve(name, getattr(config, name)) for name in REGISTRIES}
        resolved["schedule"] = self._lasting(resolved["schedule"], config.epochs)
        if resolved["noise"].get("rate") == 0:
            resolved["noise"] = CLEAN
        dataset, augmentation = resolved["dataset"], resolved["augmentation"]
        components = id(dataset), id(augmentation), id(resolved["architecture"])
        checked = (*components, config.batch_size, config.micro_batch)
        if checked not in self._checked:
            _check_batch(config, dataset)
            augmentations = [AUGMENTATIONS.build(choice) for choice in augmentation]
            shape = input_shape(dataset_info(dataset).image_shape, augmentations)
            _check_shape(resolved["architecture"], shape)
            self._checked.add(checked)
        return dataclasses.replace(config, **resolved)

    def _lasting(self, schedule: Choice, epochs: int) -> Choice:
        """A schedule whose length is that of the run, with that length as a number."""
        if schedule.as_dict().get("epochs", 0) is not None:
            return schedule
        key = id(schedule), epochs
        if key not in self._lengths:
            self._lengths[key] = schedule, schedule.replace(epochs=epochs)
        return self._lengths[key][1]

    def _components(self, field: str, value: Any) -> Components:
        key = field, repr(value)
        if key not in self._read:
            self._read[key] = _read_components(field, value)
        return self._read[key]

    def _resolve(self, field: str, given: Components) -> Any:
        key = field, id(given)
        if key not in self._resolved:
            found: Components = (
                _resolve_choice(field, given)
                if isinstance(given, Choice)
                else tuple(_resolve_choice(field, choice) for choice in given)
            )
            self._resolved[key] = given, found
        return self._resolved[key][1]

    def _with_settled_loss(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """`fields` with the parameters of the loss that are asked for by other words as numbers."""
        loss = fields["loss"]
        if not isinstance(loss, Mapping) or not isinstance(loss.get("name"), str):
            return fields
        key = repr(loss), repr(fields["dataset"])
        if key not in self._settled:
            self._settled[key] = _settled(loss, fields["dataset"])
        return {**fields, "loss": self._settled[key]}


def _settled(loss: Mapping[str, Any], dataset: Any) -> Mapping[str, Any]:
    with _errors_under("loss"):
        loss = with_published(loss)
    if not asks_for_numbers(loss):
        return loss
    info = dataset_info(_resolve_choice("dataset", _read_choice("dataset", dataset)))
    with _errors_under("loss"):
        return settle(loss, info.num_classes)


def _check_shape(architecture: Choice, shape: tuple[int, int, int]) -> None:
    """Raises ParameterError for images that the network says it cannot take."""
    require = getattr(ARCHITECTURES.build(architecture), "require_shape", None)
    if require is not None:
        with _errors_under("architecture"):
            require(shape)


def _check_batch(config: TrainingConfig, dataset: Choice) -> None:
    """Raises ParameterError for a batch larger than the training data, or its own micro-batch."""
    batch_size = config.batch_size
    if config.micro_batch is not None and config.micro_batch > batch_size:
        raise ParameterError(
            f"{config.micro_batch} images at once are more than a batch of {batch_size}",
            key="micro_batch",
        )
    num_train = dataset.get("train_size") or dataset_info(dataset).num_train
    if num_train and batch_size > num_train:
        raise ParameterError(
            f"a batch of {batch_size} is larger than the {num_train} training images",
            key="batch_size",
        )


@cache
def import_built_in() -> None:
    """Import every component of this project, in some 50 ms.

    What is there before a plug-in is imported can be compared with what is there afterwards.
    """
    for registry in REGISTRIES.values():
        for module in sorted(registry.built_in_modules):
            importlib.import_module(module)


def choices(config: TrainingConfig) -> dict[str, Choice]:
    """Field → choice; the entries of a list field as `augmentation[0]`, `augmentation[1]`, …"""
    found: dict[str, Choice] = {}
    for name in REGISTRIES:
        value = getattr(config, name)
        if isinstance(value, Choice):
            found[name] = value
        else:
            found |= {f"{name}[{index}]": choice for index, choice in enumerate(value)}
    return found


def revisions(config: TrainingConfig) -> dict[str, int]:
    """Field → revision of the component it names."""
    return {
        name: REGISTRIES[name.partition("[")[0]].component(choice.name).revision
        for name, choice in choices(config).items()
    }


def sources(config: TrainingConfig, edited: frozenset[str]) -> dict[str, ComponentSource]:
    """Field → code of the component it names; `engine` for all code that runs share.

    Args:
        edited: modules of this project with changes that are not committed.
    """
    found = {
        name: _component_source(name.partition("[")[0], choice.name, edited)
        for name, choice in choices(config).items()
    }
    return {**found, ENGINE: engine_source(edited)}


def _component_source(field: str, name: str, edited: frozenset[str]) -> ComponentSource:
    component = REGISTRIES[field].component(name)
    if is_plug_in(component.modules):
        return ComponentSource(name, "plug-in", component.code)
    return built_in_source(name, component.modules, _parts(), edited)


@cache
def _parts() -> frozenset[str]:
    """Modules of this package that register components."""
    return frozenset().union(*(registry.built_in_modules for registry in REGISTRIES.values()))


@cache
def engine_source(edited: frozenset[str]) -> ComponentSource:
    """All modules of this package that register no component."""
    return shared_source(ENGINE, _parts(), edited)


def is_built_in(config: TrainingConfig) -> bool:
    """Whether the project itself has every component that `config` names; imports nothing."""
    return all(
        REGISTRIES[name.partition("[")[0]].is_built_in(choice.name)
        for name, choice in choices(config).items()
    )


def require(field: str, name: str) -> None:
    """Raises ComponentError, with the nearest name, if `field` cannot name this component."""
    REGISTRIES[field].component(name)


def without_defaults(field: str, choice: Choice) -> Choice:
    """`choice` with the parameters dropped that equal the component's defaults."""
    parameters = REGISTRIES[field].component(choice.name).parameters
    kept = {
        name: value
        for name, value in choice.parameters
        if parameters[name].is_required or value != parameters[name].default
    }
    return Choice.of(choice.name, kept)


def _read_components(field: str, value: Any) -> Components:
    if field == "augmentation":
        if not isinstance(value, list | tuple):
            raise ParameterError(f"'{field}' must be a list, not {value!r}", key=field)
        return tuple(_read_choice(field, item) for item in value)
    return _read_choice(field, value)


def _read_choice(field: str, value: Any) -> Choice:
    name_key = NAME_KEYS.get(field, "name")
    if isinstance(value, str):
        return Choice(value)
    if isinstance(value, Choice):
        return value
    if not isinstance(value, Mapping):
        raise ParameterError(
            f"'{field}' must be a name or a mapping with '{name_key}', not {value!r}", key=field
        )
    if not isinstance(value.get(name_key), str):
        raise ParameterError(f"'{field}' needs '{name_key}'", key=field)
    try:
        rest = {key: item for key, item in value.items() if key != name_key}
        return Choice.of(value[name_key], rest)
    except ParameterError as error:
        raise ParameterError(error.message, key=f"{field}.{error.key}") from None


def _read_scalar(field: str, value: Any) -> Any:
    return _scalar(field).canonical(value)


@cache
def _scalar(field: str) -> Parameter:
    """A field that names no component."""
    return Parameter(field, get_type_hints(TrainingConfig)[field], None, RANGES.get(field))


def _resolve_choice(field: str, choice: Choice) -> Choice:
    with _errors_under(field):
        return REGISTRIES[field].resolve(choice)


@contextmanager
def _errors_under(field: str) -> Iterator[None]:
    """A component's error with `field` in front of its key."""
    try:
        yield
    except ComponentError as error:
        error.key = f"{field}.{error.key}" if error.key else field
        raise
