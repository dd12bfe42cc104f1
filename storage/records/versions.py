"""Numbered records: every version of a study and of its picks, in files that never change.

`NAME.parquet` is version 0 and `NAME.N.parquet` version N. The highest number is the current one,
whatever dates the records bear: a clock may be wrong, a number is taken once. Knows numbers and
files, not what a record says.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from storage import integrity
from storage.durable import put_if_absent
from storage.integrity import DamagedFileError
from storage.layout import files_in, record_of
from storage.reader import Reader

Problem = Callable[[str, pa.Table], str | None]
"""(name, record) → what is wrong with it; the record may come without its rows."""

_NO_ROWS = pa.schema([])


class History:
    """All sound versions of one kind of record, as they were when it was made.

    The current ones are in memory; of the others only what is said beside their rows.

    Args:
        reader: of the store; damaged files and foreign ones are listed there.
        folder: name of the folder of this kind.
        schema: of its rows.
        problem: tells what is wrong with a record.
        refuse: takes each record that is whole and yet wrong, with the reason; the reader's
            `set_aside` if not given.
    """

    def __init__(
        self,
        reader: Reader,
        folder: str,
        schema: pa.Schema,
        problem: Problem,
        refuse: Callable[[Path, str], None] | None = None,
    ) -> None:
        self._reader, self._schema, self._problem = reader, schema, problem
        self._refuse = refuse or reader.set_aside
        self._paths: dict[str, dict[int, Path]] = {}
        self.current: dict[str, pa.Table] = {}
        self.heads: dict[str, dict[int, pa.Table]] = {}
        for path in files_in(reader.root / folder):
            if found := record_of(path):
                self._paths.setdefault(found[0], {})[found[1]] = path
            else:
                self._refuse(path, "its name is not that of a record")
        for name in self._paths:
            self._open(name)

    def table(self, name: str, version: int | None = None) -> pa.Table | None:
        """A version with its rows, or the current one; None if there is no such."""
        heads = self.heads.get(name, {})
        if version is None or (version in heads and version == max(heads)):
            return self.current.get(name)
        return self._read(name, version, self._schema) if version in heads else None

    def versions(self, name: str) -> dict[int, pa.Table]:
        """Every version with its rows, oldest first."""
        tables = {number: self.table(name, number) for number in self.heads.get(name, {})}
        return {number: table for number, table in tables.items() if table is not None}

    def contents(self, name: str) -> list[bytes]:
        """The file of every version, oldest first."""
        return [self._paths[name][number].read_bytes() for number in self.versions(name)]

    def _open(self, name: str) -> None:
        """Read the newest sound version whole, and the heads of those before it."""
        heads: dict[int, pa.Table] = {}
        for number in sorted(self._paths[name], reverse=True):
            is_newest = name not in self.current
            table = self._read(name, number, self._schema if is_newest else _NO_ROWS)
            if table is not None:
                heads[number] = table
                self.current.setdefault(name, table)
        if heads:
            self.heads[name] = dict(sorted(heads.items()))

    def _read(self, name: str, number: int, schema: pa.Schema) -> pa.Table | None:
        path = self._paths[name][number]
        table = self._reader.table(path, schema)
        if table is not None and (reason := self._problem(name, table)):
            self._refuse(path, reason)
            return None
        return table


def put_next(
    path_of: Callable[[int], Path],
    table: pa.Table,
    is_same: Callable[[pa.Table, pa.Table], bool],
) -> Path:
    """Put a record in place as the next version, unless the newest sound one says the same.

    Args:
        path_of: version → file.
        table: the record.
        is_same: whether two records say the same.

    Returns the file that holds it. Raises LandingError if it cannot be written.
    """
    content = integrity.encode(table)
    while True:
        known = _versions_beside(path_of(0))
        newest = next(filter(None, map(_sound, reversed(known.values()))), None)
        if newest and is_same(newest[1], table):
            return newest[0]
        path = path_of(max(known, default=-1) + 1)
        if put_if_absent(path, content):
            return path


def _versions_beside(first: Path) -> dict[int, Path]:
    """Version → file of the record whose version 0 lies, or would lie, at `first`, in order."""
    found = ((record_of(path), path) for path in first.parent.glob(f"{first.stem}*"))
    return dict(sorted((of[1], path) for of, path in found if of and of[0] == first.stem))


def _sound(path: Path) -> tuple[Path, pa.Table] | None:
    """A file with its rows; None if it is damaged or has gone, which readers report."""
    try:
        return path, integrity.read(path)
    except (DamagedFileError, OSError):
        return None
