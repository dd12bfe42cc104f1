"""Results that contradict the one of their cell, as they are kept and told.

The same cell, code and data with other numbers is a fact about the experiment: another device,
another number of threads, another library, or a bug. The first result stands, each other one lies
in a file of its own that never changes, and whoever shows the cell can say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from storage.durable import LandingError
from storage.layout import CONFLICTS, conflict_path, files_in
from storage.reader import Reader, stack
from storage.schema import attempt_schema


@dataclass(frozen=True)
class Side:
    """One of two results that contradict each other: its origin and how it was computed."""

    attempt: str
    test_accuracy: float | None
    study: str
    launch: str
    committed_at: datetime
    host: str
    device: str
    code_version: str
    torch: str | None
    num_threads: int | None
    stack_size: int | None


SIDE = tuple(field.name for field in fields(Side))
CONDITIONS = ("code_version", "device", "torch", "num_threads", "stack_size")


@dataclass(frozen=True)
class Conflict:
    """A kept result beside the one that stands.

    Args:
        key, edition: of the cell's result.
        columns: curves in which they differ.
        largest_difference: of test accuracy in any epoch, a fraction; None if it has none.
        kept: the result that does not stand.
        standing: the one that does; None if its file is damaged by now.
        origin: the store it came from, if a merge has just brought it.
    """

    key: str
    edition: int
    columns: tuple[str, ...]
    largest_difference: float | None
    kept: Side
    standing: Side | None
    origin: Path | None = None

    @property
    def conditions(self) -> tuple[tuple[str, Any, Any], ...]:
        """What differs in how they were computed: (condition, of the standing one, of the kept)."""
        if self.standing is None:
            return ()
        pairs = (
            (name, getattr(self.standing, name), getattr(self.kept, name)) for name in CONDITIONS
        )
        return tuple(pair for pair in pairs if pair[1] != pair[2])


QUERY = ", ".join(
    ("key", "edition", "differing", "largest_difference", *SIDE, *(f"standing_{c}" for c in SIDE))
)
"""Columns of the view `conflicts`, in the order that `conflict_of` reads."""


def conflict_of(row: Sequence[Any]) -> Conflict:
    """A row of the view as a value."""
    key, edition, differing, largest, *sides = row
    kept, standing = sides[: len(SIDE)], sides[len(SIDE) :]
    return Conflict(
        key,
        edition,
        tuple(differing.split(", ")) if differing else (),
        largest,
        Side(*kept),
        None if standing[0] is None else Side(*standing),
    )


class KeptConflicts:
    """The kept results of a store; their files are read by the first query that needs them."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._paths = files_in(reader.root / CONFLICTS)
        self._table: pa.Table | None = None

    def keys(self) -> frozenset[str]:
        """Keys of the cells that have one, from the names of the files."""
        return frozenset(path.name.partition(".")[0] for path in self._paths)

    def table(self) -> pa.Table:
        """The kept results as rows; damaged files are set aside."""
        if self._table is None:
            self._table = stack(filter(None, map(self._read, self._paths)), attempt_schema())
        return self._table

    def __arrow_c_schema__(self) -> Any:
        return attempt_schema().__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        return self.table().to_reader().__arrow_c_stream__(requested_schema)

    def _read(self, path: Path) -> pa.Table | None:
        table = self._reader.table(path, attempt_schema())
        if table is not None and _home(self._reader.root, table) != path:
            self._reader.set_aside(path, "it does not hold the attempt that its name says")
            return None
        return table


def _home(root: Path, table: pa.Table) -> Path | None:
    try:
        (row,) = table.select(["key", "attempt"]).to_pylist()
        return conflict_path(root, row["key"], row["attempt"])
    except (ValueError, TypeError, LandingError):
        return None
