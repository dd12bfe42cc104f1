"""One store's files as tables, with an account of what was wrong. What is damaged is never raised.

A damaged small file is set aside. Knows single files and schema versions, not what the rows mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from storage import integrity
from storage.integrity import DamagedFileError
from storage.layout import quarantine
from storage.schema import SCHEMA_VERSION, VERSION_KEY


@dataclass(frozen=True)
class Damage:
    """A file that is damaged, or that holds what cannot be true.

    Args:
        reason: what is wrong with it.
        moved_to: where it is now; None if it was left where it is.
        cost: what is not served because of it, in words.
        num_lost: attempts that are not served, or not with their curves; None if nobody knows.
    """

    path: Path
    reason: str
    moved_to: Path | None
    cost: str = "its cells are missing"
    num_lost: int | None = None

    def __str__(self) -> str:
        kept = f"set aside as {self.moved_to}" if self.moved_to else "left where it is"
        return f"{self.path}: {self.reason}; {kept}, {self.cost}"


@dataclass
class Reader:
    """Reads files of one store and keeps account of what was wrong with them.

    Args:
        root: folder of the store.
        read_only: leave damaged files where they are.
        damaged: what was not served, in the order it was met.
        newer: files of a newer schema version, read as far as their columns are known.
    """

    root: Path
    read_only: bool
    damaged: list[Damage] = field(default_factory=list)
    newer: list[Path] = field(default_factory=list)

    def table(self, path: Path, schema: pa.Schema) -> pa.Table | None:
        """A file's rows in `schema`, metadata kept. None if it is damaged or has gone."""
        try:
            return self.parse(path, integrity.read_bytes(path), schema)
        except FileNotFoundError:
            return None
        except DamagedFileError as error:
            self.set_aside(path, str(error))
        except OSError as error:  # it may be readable the next time
            self.report(Damage(path, f"it cannot be read: {error.strerror}", None))
        return None

    def parse(self, path: Path, content: bytes, schema: pa.Schema) -> pa.Table:
        """Rows in `content`, read from `path`. Raises DamagedFileError."""
        return self.conformed(path, integrity.decode(content, schema.names), schema)

    def conformed(self, path: Path, table: pa.Table, schema: pa.Schema) -> pa.Table:
        """The rows of a sound file in `schema`. Raises DamagedFileError."""
        version = (table.schema.metadata or {}).get(VERSION_KEY, b"0")
        if int(version) > SCHEMA_VERSION:
            self.newer.append(path)
        return conform(table, schema)

    def set_aside(self, path: Path, reason: str) -> None:
        """List a file as damaged and move it out of the way, unless the store is read-only."""
        moved_to = None if self.read_only else quarantine(self.root, path)
        self.report(Damage(path, reason, moved_to))

    def report(self, damage: Damage) -> None:
        """List damage, once however often it is met."""
        if damage not in self.damaged:
            self.damaged.append(damage)


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A table of any schema version in the present one: columns that it lacks are null.

    Raises DamagedFileError if a column is not of its type.
    """
    if table.schema.equals(schema):
        return table
    try:
        columns = [_column(table, field) for field in schema]
    except pa.ArrowException as error:
        raise DamagedFileError(f"its columns are not ours: {error}") from error
    return pa.Table.from_arrays(columns, schema=schema.with_metadata(table.schema.metadata))


def stack(tables: Any, schema: pa.Schema) -> pa.Table:
    """Tables of one schema under one another, in one piece."""
    found = [table.replace_schema_metadata(None) for table in tables]
    return pa.concat_tables(found).combine_chunks() if found else empty(schema)


def empty(schema: pa.Schema) -> pa.Table:
    """A table without rows (`Schema.empty_table` would import pandas)."""
    return pa.Table.from_batches([], schema=schema)


def _column(table: pa.Table, field: pa.Field) -> Any:
    if field.name not in table.column_names:
        return pa.nulls(len(table), field.type)
    column = table[field.name]
    return column if column.type == field.type else column.cast(field.type)
