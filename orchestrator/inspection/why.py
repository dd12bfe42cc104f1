"""All that is known of one cell, and whether its results answer it here and now.

Values only; the words are those of `why_lines`. Reads, and changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from orchestrator.inspection.axes import told, varying_axes
from orchestrator.inspection.present import Present, present
from orchestrator.plan.expectations import Expectations
from storage.attempt import PlannedCell, StudyRecord
from storage.records.conflicts import Conflict
from storage.records.decisions import Decision
from storage.reporting.table import Header, place_of
from storage.schema import Outcome
from storage.standing.judgement import (
    Known,
    Moved,
    Result,
    Verdict,
    component_words,
    differences,
    judge,
)
from storage.store import Store


class Sameness(StrEnum):
    """How one thing of a result compares with what it is here."""

    SAME = "same"
    CHANGED = "changed"
    OTHER_COMMIT = "changed, at the same revision"
    ACCEPTED = "changed, accepted by a replay"
    NOT_RECORDED = "not recorded"
    NOT_HERE = "unknown here"


@dataclass(frozen=True)
class Tried:
    """One attempt at a cell; fields as the columns of `attempts`."""

    attempt: str
    edition: int
    outcome: str
    diverged_epoch: int | None
    config: str
    identity: str | None
    sources: str | None
    train_data_sha256: str | None
    test_data_sha256: str | None
    noisy_label_sha256: str | None
    initial_weights_sha256: str | None
    started_at: datetime
    committed_at: datetime
    seconds: float | None
    host: str
    device: str
    num_threads: int | None
    stack_size: int | None
    stack_position: int | None
    packages: str
    code_version: str
    code_dirty: bool | None
    study: str
    launch: str
    error_class: str | None
    error_message: str | None

    @property
    def is_result(self) -> bool:
        return self.outcome != Outcome.FAILED


@dataclass(frozen=True)
class Component:
    """The code of one component of a result, beside what it is here."""

    field: str
    name: str
    origin: str
    sha256: str | None
    sameness: Sameness


@dataclass(frozen=True)
class Data:
    """The digest of one split of a result's data, beside what they are here."""

    split: str
    sha256: str | None
    sameness: Sameness


@dataclass(frozen=True)
class Compared:
    """A result, and what was found when it was compared with the cell here and now.

    Args:
        moved: in what it differs; None if it cannot be compared here.
        redo: why it is to be run anew; None for a result that counts.
    """

    tried: Tried
    components: tuple[Component, ...]
    data: tuple[Data, ...]
    moved: tuple[Moved, ...] | None
    redo: str | None


@dataclass(frozen=True)
class Place:
    """Where a table shows a cell."""

    table: str
    row: Header
    column: Header


@dataclass(frozen=True)
class Asked:
    """How a recorded study asks for the cell, and the table entries in which it stands.

    Args:
        version: of the study, if it is not the current one.
        axes: field → value as the study writes it, for fields in which its cells differ.
    """

    study: str
    version: int | None
    phase: str
    seed: int
    axes: Mapping[str, str]
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Why:
    """All that is known of one cell.

    Args:
        config: the whole cell, as it was stored last.
        present: what it is here and now.
        verdict: where it stands here and now; None if that cannot be said here.
        results: the newest edition first.
        failures: the earliest first.
        asked: by studies as they stand; by older versions only if no study asks for it any more.
        decisions: what people decided about its results.
        conflicts: kept results that contradict one of them.
    """

    key: str
    config: Mapping[str, Any]
    present: Present
    verdict: Verdict | None
    results: tuple[Compared, ...]
    failures: tuple[Tried, ...]
    asked: tuple[Asked, ...]
    decisions: tuple[Decision, ...]
    conflicts: tuple[Conflict, ...]


def explain(store: Store, key: str, expectations: Expectations) -> Why:
    """What the store and this machine know of `key`, which was tried or is planned."""
    tried = _tried(store, key)
    asked = list(_asking(store, key)) or list(_asked_before(store, key))
    stored = next((one.identity for one in tried if one.identity), None)
    configs = [*(one.config for one in tried), *(cell.config for _, _, cell in asked)]
    config = next(text for text in configs if text is not None)
    known = store.known
    here = present(key, config, stored, known, expectations)
    results = {result.attempt: result for result in known.results.get(key, ())}
    return Why(
        key=key,
        config=json.loads(config),
        present=here,
        verdict=judge(here.planned, known) if here.planned else None,
        results=tuple(
            _compared(one, results[one.attempt], here.planned, known)
            for one in tried
            if one.attempt in results
        ),
        failures=tuple(one for one in reversed(tried) if not one.is_result),
        asked=tuple(_asked(*one) for one in asked),
        decisions=tuple(one for one in store.decisions if one.key == key),
        conflicts=tuple(one for one in store.conflicts() if one.key == key),
    )


def _tried(store: Store, key: str) -> list[Tried]:
    """Every attempt, the newest edition and the latest attempt first."""
    columns = ", ".join(item.name for item in fields(Tried))
    query = (
        f"select {columns} from attempts where key = $1 order by edition desc, committed_at desc"
    )
    return [Tried(*row) for row in store.rows(query, [key])]


Request = tuple[StudyRecord, int | None, PlannedCell]
"""A study that asks for a cell, its version if it is not the current one, and how it asks."""


def _asking(store: Store, key: str) -> Iterator[Request]:
    """Each place in a study as it stands that asks for the cell."""
    query = "select distinct study from planned where key = $1 order by study"
    for (name,) in store.rows(query, [key]):
        if (record := store.study(name)) is not None:
            yield from ((record, None, cell) for cell in record.planned if cell.key == key)


def _asked_before(store: Store, key: str) -> Iterator[Request]:
    """The same for older versions, each of which has to be read; the newest first."""
    for name in store.studies():
        for version in reversed(store.study_versions(name)):
            record = None if version.is_current else store.study(name, version.version)
            for cell in record.planned if record else ():
                if record and cell.key == key:
                    yield record, version.version, cell


def _asked(record: StudyRecord, version: int | None, cell: PlannedCell) -> Asked:
    places = {name: place_of(cell, spec) for name, spec in record.tables.items()}
    shown = (Place(name, *place) for name, place in places.items() if place is not None)
    axes = told(cell.axes, varying_axes(record.planned))
    return Asked(record.name, version, cell.phase, cell.seed, axes, tuple(shown))


def _compared(tried: Tried, result: Result, here: PlannedCell | None, known: Known) -> Compared:
    """One result beside the cell here and now."""
    moved = None if here is None else tuple(differences(here, result, known.accepted))
    changed = {item.name for item in moved or () if item.kind == "source"}
    splits = {
        "training": (tried.train_data_sha256, here.train_data_sha256 if here else None),
        "test": (tried.test_data_sha256, here.test_data_sha256 if here else None),
    }
    return Compared(
        tried,
        tuple(_components(tried.sources, here.sources if here else None, changed, known)),
        tuple(Data(split, then, _same(then, now)) for split, (then, now) in splits.items()),
        moved,
        result.redo,
    )


def _components(
    sources: str | None, here: str | None, changed: set[str], known: Known
) -> Iterator[Component]:
    """The components of a result. `changed`: those whose code does not stand for the result's."""
    now = json.loads(here or "{}")
    for field, then in json.loads(sources or "{}").items():
        digests = then["sha256"], now.get(field, {}).get("sha256")
        sameness = _same(*digests)
        component = component_words(field, then["name"])
        if sameness is Sameness.CHANGED and component not in changed:
            is_accepted = (component, *digests) in known.accepted
            sameness = Sameness.ACCEPTED if is_accepted else Sameness.OTHER_COMMIT
        yield Component(field, then["name"], then["origin"], then["sha256"], sameness)


def _same(then: str | None, now: str | None) -> Sameness:
    if then is None:
        return Sameness.NOT_RECORDED
    if now is None:
        return Sameness.NOT_HERE
    return Sameness.SAME if then == now else Sameness.CHANGED
