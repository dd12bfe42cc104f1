"""One training run with its identity, and how a study asks for it.

The key is the SHA-256 of a canonical form of everything that moves the run's numbers. Defaults are
left out of it, so a new defaulted field renames no cell; a component's revision stands in it unless
it is 1. Knows nothing of stores or machines.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from trainables.config import Choice, TrainingConfig

FIRST_REVISION = 1
REVISIONS = "revisions"
"""Where a canonical form tells revisions that are not the first; no field is called so."""

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode
"""One encoder for all cells: making one for each takes as long as the text."""


class Catalog(Protocol):
    """What the sweep asks of the trainables; `trainables.components` is one."""

    def builder(self) -> Callable[[Mapping[str, Any]], TrainingConfig]: ...
    def revisions(self, config: TrainingConfig, /) -> dict[str, int]: ...
    def is_built_in(self, config: TrainingConfig, /) -> bool: ...
    def require(self, field: str, name: str, /) -> None: ...
    def without_defaults(self, field: str, choice: Choice, /) -> Choice: ...


@dataclass(frozen=True)
class Cell:
    """A run and its names.

    Args:
        config: the run, with all parameters explicit.
        key: content hash, 64 hexadecimal digits.
        base_key: the same without revisions.
        revisions: field → revision of the component it names.
        identity: the text whose SHA-256 is the key.
    """

    config: TrainingConfig
    key: str
    base_key: str
    revisions: Mapping[str, int]
    identity: str


@dataclass(frozen=True)
class StudyCell:
    """One cell as the study asks for it.

    Args:
        phase: name of its phase.
        position: place in the study's order.
        seed: replicate.
        axes: field → value as the study writes it; the loss by its label.
        fields: plain values of the cell.
        cell: the run; None while a pick is pending, or if it is skipped.
        skipped: reason why the study leaves it out.
        pending: the pick it waits for.
    """

    phase: str
    position: int
    seed: int
    axes: Mapping[str, str]
    fields: Mapping[str, Any]
    cell: Cell | None
    skipped: str | None = None
    pending: str | None = None


def make_cell(config: TrainingConfig, catalog: Catalog) -> Cell:
    """The cell of a resolved configuration."""
    return Replicates(config, catalog).at(config.seed)


class Replicates:
    """The cells that differ in their seed alone; what they share is made once.

    Args:
        config: one of them, resolved.
    """

    def __init__(self, config: TrainingConfig, catalog: Catalog) -> None:
        self._config = config
        self._revisions = catalog.revisions(config)
        self._form = canonical_form(config, self._revisions, catalog)
        self._base_form = {name: part for name, part in self._form.items() if name != REVISIONS}

    def at(self, seed: int) -> Cell:
        """The cell of one seed."""
        config = dataclasses.replace(self._config, seed=seed)
        identity = _text(_seeded(self._form, config))
        key = _digest(identity)
        is_first = REVISIONS not in self._form
        base_key = key if is_first else _digest(_text(_seeded(self._base_form, config)))
        return Cell(config, key, base_key, self._revisions, identity)


def _seeded(form: Mapping[str, Any], config: TrainingConfig) -> dict[str, Any]:
    """A canonical form with the seed of `config`, left out if it is the default."""
    others = {name: part for name, part in form.items() if name != "seed"}
    return {**others, "seed": config.seed} if config.seed != TrainingConfig.seed else others


def key_of(config: Mapping[str, Any], revisions: Mapping[str, int], catalog: Catalog) -> str | None:
    """The key of a stored configuration, None where this checkout cannot say.

    A key leaves defaults out, so a configuration alone does not tell its key: which of its values
    were defaults is known here only if every component is the same as when the row was made. That
    holds if all of them are the project's own, whose defaults never change without a new revision
    (those of a run's plain fields never change), and all have the revisions of today. For a
    plug-in, whose author may edit a default at any time, for another revision, and for a field or
    a component that is unknown here, the answer is None.

    So another key than the row's is a proof that the two do not belong together; no answer is no
    proof of anything, and whether such a row answers a cell of today is decided by comparing the
    whole configurations. No plug-in of a foreign row is ever imported.
    """
    try:
        known = TrainingConfig.from_dict(config)
        if not catalog.is_built_in(known) or catalog.revisions(known) != dict(revisions):
            return None
        return _digest(_text(canonical_form(known, revisions, catalog)))
    except (TypeError, KeyError, ValueError, AttributeError):  # not a configuration of today
        return None


def canonical_form(
    config: TrainingConfig, revisions: Mapping[str, int], catalog: Catalog
) -> dict[str, Any]:
    """Fields and parameters that differ from their defaults; revisions that are not the first."""
    form: dict[str, Any] = {}
    for item in dataclasses.fields(config):
        value = getattr(config, item.name)
        if value != item.default:
            form[item.name] = _canonical(item.name, value, catalog)
    moved = {name: number for name, number in revisions.items() if number != FIRST_REVISION}
    return {**form, REVISIONS: moved} if moved else form


def _canonical(field: str, value: Any, catalog: Catalog) -> Any:
    if isinstance(value, Choice):
        return {"name": value.name, **catalog.without_defaults(field, value).as_dict()}
    if isinstance(value, tuple):
        return [_canonical(field, item, catalog) for item in value]
    return value


def _text(form: Mapping[str, Any]) -> str:
    """Sorted JSON; floats in shortest form, so 0.1 and 1e-1 agree."""
    return _encode(form)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
