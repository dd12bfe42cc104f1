"""Where a planned cell stands: the one judgement that plan, launch, status, report and SQL read.

A key says which configuration a result is of; it says nothing of the code and the data behind it.
So a result answers a planned cell if its configuration, the code of its components and its data are
those that the cell was planned with. What one of the two sides does not know is unknown: it never
makes a result stale, and it is told. Values in, values out; words are made by whoever shows them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from storage.schema import Outcome

if TYPE_CHECKING:
    from storage.attempt import PlannedCell

BUILT_IN = "built-in"
"""Origin of committed code of this project: its revision speaks for it, held by golden runs."""

ENGINE = "engine"
"""Field of the code that all runs share."""


class Standing(StrEnum):
    """Where a planned cell stands."""

    NEW = "new"
    DONE = "done"
    FAILED = "failed"
    STALE = "stale"
    SKIPPED = "skipped"
    PENDING = "pending"

    @property
    def is_due(self) -> bool:
        """Whether a launch runs it."""
        return self in (Standing.NEW, Standing.FAILED, Standing.STALE)


@dataclass(frozen=True)
class Moved:
    """One thing in which a result differs from what its cell is now.

    Args:
        kind: `config`, `source`, `data`, `revision` or `redo`.
        name: the field, the component's field, or the split.
        before, after: values in words; empty where there is nothing to say.
    """

    kind: str
    name: str
    before: str = ""
    after: str = ""

    @property
    def words(self) -> str:
        """Such as `loss.p was 2.0, is 6.0`."""
        return {
            "config": f"{self.name} was {self.before}, is {self.after}",
            "source": f"the code of {self.name} has changed",
            "data": f"the {self.name} data are not those of the result",
            "revision": f"revision of {self.name} {self.before} → {self.after}",
            "redo": f"to be run anew: {self.before}",
        }[self.kind]


@dataclass(frozen=True)
class Result:
    """One result of a key, as far as a judgement needs it; the columns of `cells`.

    `redo` says why it is to be run anew; None for a result that counts.
    """

    key: str
    base_key: str
    attempt: str
    edition: int
    outcome: str
    config: str
    revisions: str
    sources: str | None
    train_data_sha256: str | None
    test_data_sha256: str | None
    seconds: float | None = None
    redo: str | None = None


@dataclass(frozen=True)
class Failures:
    """The failed attempts of a key: how many, and the latest one."""

    number: int
    error_class: str | None
    error_message: str | None

    @property
    def words(self) -> str:
        """How many, and what the latest one says."""
        tries = "attempt" if self.number == 1 else "attempts"
        return f"{self.number} failed {tries}: {self.error_message or self.error_class}"


Accepted = frozenset[tuple[str, str, str]]
"""Component and two digests of its code that a replay has shown to give the same numbers, both ways
round. A file may hold several components, and a replay proves something of one."""


@dataclass(frozen=True)
class Known:
    """What a store knows of every key that was ever tried.

    Args:
        results: key → its results, the newest edition first.
        failures: key → failed attempts.
        revisions: base key → revisions of its newest result.
        accepted: source digests that stand for each other.
    """

    results: Mapping[str, tuple[Result, ...]] = field(default_factory=dict)
    failures: Mapping[str, Failures] = field(default_factory=dict)
    revisions: Mapping[str, str] = field(default_factory=dict)
    accepted: Accepted = frozenset()

    def next_edition(self, key: str) -> int:
        """The number of a result that is still to be made."""
        results = self.results.get(key, ())
        return results[0].edition + 1 if results else 0


@dataclass(frozen=True)
class Verdict:
    """Where one cell stands.

    Args:
        standing: the word.
        moved: for a stale cell, in what its newest result differs.
        result: the result that answers it, if it is done.
        unknown: what of that result cannot be compared: `code`, `data`.
        failures: of a failed cell.
        note: the reason of a skipped or pending cell.
    """

    standing: Standing
    moved: tuple[Moved, ...] = ()
    result: Result | None = None
    unknown: tuple[str, ...] = ()
    failures: Failures | None = None
    note: str = ""

    @property
    def reason(self) -> str:
        """In words; empty where the standing says all."""
        if self.failures:
            return self.failures.words
        return "; ".join(item.words for item in self.moved) or self.note

    @property
    def outcome(self) -> Outcome | None:
        """Of the result that answers the cell."""
        return Outcome(self.result.outcome) if self.result else None


def judge(cell: PlannedCell, known: Known) -> Verdict:
    """Where `cell` stands, from the strongest reason down."""
    if cell.skipped is not None:
        return Verdict(Standing.SKIPPED, note=cell.skipped)
    if cell.key is None:
        return Verdict(Standing.PENDING, note="a pick that it needs is not made yet")
    results = known.results.get(cell.key, ())
    for result in results:
        if not any(differences(cell, result, known.accepted)):
            return Verdict(Standing.DONE, result=result, unknown=_unknown(cell, result))
    if results:
        return Verdict(Standing.STALE, _reasons(cell, results, known.accepted))
    if failures := known.failures.get(cell.key):
        return Verdict(Standing.FAILED, failures=failures)
    if former := known.revisions.get(cell.base_key or ""):
        return Verdict(Standing.STALE, tuple(_other_revisions(former, cell.revisions)))
    return Verdict(Standing.NEW)


def _reasons(cell: PlannedCell, results: Sequence[Result], accepted: Accepted) -> tuple[Moved, ...]:
    """Why no result answers: a decision against one that would, or how the newest differs."""
    found = [tuple(differences(cell, result, accepted)) for result in results]
    decided = (moved for moved in found if all(one.kind == "redo" for one in moved))
    return next(decided, found[0])


def differences(cell: PlannedCell, result: Result, accepted: Accepted) -> Iterator[Moved]:
    """In what a result differs from a planned cell of the same key."""
    if result.redo is not None:
        yield Moved("redo", "", result.redo)
    if cell.config is not None and cell.config != result.config:
        yield from config_differences(json.loads(result.config), json.loads(cell.config))
    if cell.sources != result.sources:
        yield from source_differences(result.sources, cell.sources, accepted)
    for split in ("train", "test"):
        here, there = getattr(cell, f"{split}_data_sha256"), getattr(result, f"{split}_data_sha256")
        if here and there and here != there:
            yield Moved("data", {"train": "training", "test": "test"}[split])


def config_differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Moved]:
    """Fields whose values differ. A field that only one side has is newer than the other side."""
    left, right = flat(before), flat(after)
    for name in (name for name in left if name in right):
        if left[name] != right[name]:
            yield Moved("config", name, _text(left[name]), _text(right[name]))


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as dotted fields: `loss.q`; a component's name stands under its field."""
    found: dict[str, Any] = {}
    for name, value in config.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        elif isinstance(value, list) and all(isinstance(item, Mapping) for item in value):
            found[f"{prefix}{name}"] = [item.get("name") for item in value]
            for index, item in enumerate(value):
                found |= flat(item, f"{prefix}{name}[{index}].")
        elif name == "name" and prefix:
            found[prefix.removesuffix(".")] = value
        else:
            found[f"{prefix}{name}"] = value
    return found


def source_differences(
    before: str | None, after: str | None, accepted: Accepted
) -> Iterator[Moved]:
    """Components whose code differs. Committed code of this project is known by its revision."""
    if before is None or after is None:
        return
    for component, old, new in changed_sources(before, after):
        if (component, old, new) not in accepted:
            yield Moved("source", component, old, new)


@cache
def changed_sources(before: str, after: str) -> tuple[tuple[str, str, str], ...]:
    """Component, digest before and digest after, where code that is known to differ may matter."""
    return tuple(_changed_sources(json.loads(before), json.loads(after)))


def _changed_sources(
    left: Mapping[str, Any], right: Mapping[str, Any]
) -> Iterator[tuple[str, str, str]]:
    for name in sorted(left.keys() & right.keys()):
        old, new = left[name], right[name]
        committed = old["origin"] == new["origin"] == BUILT_IN
        digests = old["sha256"], new["sha256"]
        if None not in digests and digests[0] != digests[1] and not committed:
            yield component_words(name, new["name"]), *digests


def component_words(field: str, name: str) -> str:
    """`loss my_loss`; the same for every place of a list, and the shared code by its one name."""
    return "the engine" if field == ENGINE else f"{field.partition('[')[0]} {name}"


def _unknown(cell: PlannedCell, result: Result) -> tuple[str, ...]:
    """What of the two cannot be compared."""
    splits = ("train_data_sha256", "test_data_sha256")
    data = any(None in (getattr(cell, name), getattr(result, name)) for name in splits)
    code = not (_is_whole(cell.sources) and _is_whole(result.sources))
    return (*(("code",) if code else ()), *(("data",) if data else ()))


@cache
def _is_whole(sources: str | None) -> bool:
    """Whether the code of every component is known."""
    return sources is not None and all(one["sha256"] for one in json.loads(sources).values())


def _other_revisions(before: str, after: str | None) -> Iterator[Moved]:
    """Components whose revision is another one."""
    left, right = json.loads(before), json.loads(after or "{}")
    moved = [name for name in right if left.get(name, right[name]) != right[name]]
    for name in moved or ["a component"]:
        yield Moved("revision", name, str(left.get(name, "?")), str(right.get(name, "?")))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
