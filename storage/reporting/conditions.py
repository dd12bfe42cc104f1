"""How results were really made: code, device, versions, threads, alone or in a stack.

Runs of one entry may differ in these without being other cells; a reader must know. Values in,
values out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

QUERY = (
    "select attempt, code_version, code_dirty, device, packages, num_threads, stack_size, sources "
    "from results"
)
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Conditions:
    """How one result was made, each in words; `unknown` where an older version did not record it.

    Args:
        code: commit or version, and whether there were uncommitted changes.
        device: its name.
        torch: version.
        threads: CPU threads.
        stacking: alone, or in a stack.
        plug_ins: plug-ins, and code of this project with uncommitted changes: what it is of, and
            its digest.
    """

    code: str
    device: str
    torch: str
    threads: str
    stacking: str
    plug_ins: tuple[str, ...] = ()


ASPECTS = {
    "code": "code versions",
    "device": "devices",
    "torch": "versions of torch",
    "threads": "numbers of threads",
    "stacking": "runs alone and in stacks",
    "plug_ins": "versions of plug-ins or edited code",
}
"""Field of Conditions → what an entry mixes whose runs differ in it."""


@dataclass(frozen=True)
class MadeBy:
    """One way in which results of a report were made, and how many of them."""

    aspect: str
    value: str
    count: int

    @property
    def word(self) -> str:
        """What a reader calls the aspect."""
        return {"plug_ins": "own code"}.get(self.aspect, self.aspect)


def read_conditions(rows: Iterable[tuple[Any, ...]]) -> dict[str, Conditions]:
    """Attempt → how it was made, from the rows of QUERY."""
    return {attempt: _conditions(*rest) for attempt, *rest in rows}


def mixed(found: Iterable[Conditions]) -> tuple[str, ...]:
    """What runs differ in, in words; empty if they were all made in the same way."""
    runs = tuple(found)
    return tuple(
        words for field, words in ASPECTS.items() if len({getattr(run, field) for run in runs}) > 1
    )


def tally(found: Iterable[Conditions]) -> Iterator[MadeBy]:
    """Every way in which results were made, with counts; the most frequent first."""
    runs = tuple(found)
    for item in fields(Conditions):
        values = Counter(value for run in runs for value in _values(getattr(run, item.name)))
        for value, count in values.most_common():
            yield MadeBy(item.name, value, count)


def _values(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (value,)


def _conditions(
    code_version: str,
    code_dirty: bool | None,
    device: str,
    packages: str,
    num_threads: int | None,
    stack_size: int | None,
    sources: str | None,
) -> Conditions:
    dirty = ", uncommitted changes" if code_dirty else ""
    versions: Mapping[str, Any] = json.loads(packages)
    stacking = {None: UNKNOWN, 1: "alone"}.get(stack_size, "in a stack")
    return Conditions(
        code=f"{code_version[:12]}{dirty}",
        device=device,
        torch=str(versions.get("torch") or UNKNOWN),
        threads=UNKNOWN if num_threads is None else str(num_threads),
        stacking=stacking,
        plug_ins=_plug_ins(sources),
    )


def _plug_ins(sources: str | None) -> tuple[str, ...]:
    """Components that are plug-ins or edited, with the start of their digest."""
    found = json.loads(sources) if sources else {}
    return tuple(
        f"{_component(field, one['name'])} ({one['origin']}, {(one['sha256'] or UNKNOWN)[:12]})"
        for field, one in sorted(found.items())
        if one["origin"] != "built-in"
    )


def _component(field: str, name: str) -> str:
    """Such as `loss ce`; the engine is a field and a name."""
    return name if name == field else f"{field} {name}"
