"""What people decided about results: to run a cell anew, or that other code gives the same numbers.

A decision is an immutable file of its own; nothing is ever taken back or replaced. A result that is
to be run anew stays in the store and no longer answers; code that a replay has shown to give the
same numbers stands for the code it was compared with.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from storage import integrity
from storage.durable import put_if_absent
from storage.layout import DECISIONS, files_in
from storage.reader import Reader
from storage.schema import SCHEMA_VERSION, VERSION_KEY, decisions_schema

Kind = Literal["redo", "accept"]


@dataclass(frozen=True)
class Decision:
    """One decision; a field per column of the view `decisions`.

    Args:
        kind: `redo`: the result `attempt` no longer answers; `accept`: the code with digest
            `after` gives the numbers of the code with digest `before`.
        key: of the cell.
        attempt: the result.
        component: field and name of the component, for `accept`.
        before, after: digests of its code, for `accept`.
        reason: in words.
        decided_at: when.
    """

    kind: str
    key: str
    attempt: str
    reason: str
    decided_at: datetime
    component: str | None = None
    before: str | None = None
    after: str | None = None


def land_decisions(root: Path, decisions: Sequence[Decision]) -> Path:
    """Write decisions as one new file. Raises LandingError."""
    path = root / DECISIONS / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:12]}.parquet"
    put_if_absent(path, _encoded([asdict(one) for one in decisions]))
    return path


def _encoded(rows: list[dict[str, Any]]) -> bytes:
    schema = decisions_schema().with_metadata({VERSION_KEY: str(SCHEMA_VERSION)})
    return integrity.encode(pa.Table.from_pylist(rows, schema))


def read_decisions(tables: Iterable[pa.Table]) -> tuple[Decision, ...]:
    """Decisions as they landed."""
    return tuple(Decision(**row) for table in tables for row in table.to_pylist())


def take_decisions(reader: Reader, target: Path, *, is_own: bool) -> None:
    """Take over the decisions of another store. Raises LandingError.

    Args:
        is_own: those on code as well. Of a foreign store only what is to be made anew is taken:
            that its code gives the same numbers is a claim that a replay has to prove here.
    """
    for path in files_in(reader.root / DECISIONS):
        table = reader.table(path, decisions_schema())
        if table is None:
            continue
        rows = [row for row in table.to_pylist() if is_own or row["kind"] == "redo"]
        if rows:
            put_if_absent(target / DECISIONS / path.name, _encoded(rows))


def redone(decisions: Iterable[Decision]) -> dict[str, str]:
    """Attempt that no longer answers → the reason."""
    return {one.attempt: one.reason for one in decisions if one.kind == "redo"}


def accepted(decisions: Iterable[Decision]) -> frozenset[tuple[str, str, str]]:
    """Component and two digests of its code that give the same numbers, both ways round and through
    others.
    """
    groups: dict[tuple[str, str], set[str]] = {}
    for one in decisions:
        if one.kind == "accept" and one.component and one.before and one.after:
            pair = [(one.component, digest) for digest in (one.before, one.after)]
            joined = set().union(*(groups.get(place, {place[1]}) for place in pair))
            groups |= {(one.component, digest): joined for digest in joined}
    return frozenset((c, a, b) for (c, a), group in groups.items() for b in group if a != b)
