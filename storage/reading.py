"""Verified files → Arrow tables. Damage is set aside and listed, never raised.

Small files are read before the pointer to the segments, so a result that a compaction moves
meanwhile is met in its new place, its old one, or both, and never missed; the segment wins. Knows
files and columns, no SQL.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from storage import integrity
from storage.durable import LandingError
from storage.integrity import DamagedFileError
from storage.layout import ATTEMPTS, failure_path, files_in, quarantine, result_path
from storage.schema import (
    SCHEMA_VERSION,
    VERSION_KEY,
    Outcome,
    attempt_schema,
    segment_attempts_schema,
    segment_curves_schema,
)
from storage.segments import Segment, pointer_path, read_current, segments_on_disk

_BATCH_FILES = 500
_TRIES = 20
"""How often the pointer is read again when a segment it names has gone."""


@dataclass(frozen=True)
class Damage:
    """A file that was not served. `moved_to` is None if it was left where it is."""

    path: Path
    reason: str
    moved_to: Path | None


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
            return self.parse(path, path.read_bytes(), schema)
        except FileNotFoundError:
            return None
        except DamagedFileError as error:
            self.set_aside(path, str(error))
        except OSError as error:  # it may be readable the next time
            self.damaged.append(Damage(path, f"it cannot be read: {error.strerror}", None))
        return None

    def parse(self, path: Path, content: bytes, schema: pa.Schema) -> pa.Table:
        """Rows in `content`, read from `path`. Raises DamagedFileError."""
        table = integrity.decode(content, schema.names)
        version = (table.schema.metadata or {}).get(VERSION_KEY, b"0")
        if int(version) > SCHEMA_VERSION:
            self.newer.append(path)
        return conform(table, schema)

    def set_aside(self, path: Path, reason: str) -> None:
        """List a file as damaged and move it out of the way, unless the store is read-only."""
        moved_to = None if self.read_only else quarantine(self.root, path)
        self.damaged.append(Damage(path, reason, moved_to))


@dataclass(frozen=True)
class OpenSegment:
    """A segment as opened: its attempts in memory, its curves an open file, read when asked for.

    An open file outlives its name, so a compaction does not disturb who opened it before.
    """

    segment: Segment
    attempts: pa.Table
    curves: BinaryIO


class Attempts:
    """Every attempt of a store: small files in memory, segments as opened.

    Whoever still holds a query over it keeps it, and its open files, alive.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        _, landed = landed_rows(reader, files_in(reader.root / ATTEMPTS))
        self.segments = open_segments(reader)
        self.landed = not_compacted(landed, self.segments)
        self.compacted = stack((s.attempts for s in self.segments), segment_attempts_schema())
        self.close = weakref.finalize(self, _close_all, [s.curves for s in self.segments])

    def curves(self) -> Iterator[pa.Table]:
        """Curves of all attempts, one table per segment, so that memory stays bounded."""
        schema = segment_curves_schema()
        yield self.landed.select(schema.names)
        for opened in self.segments:
            if (table := segment_curves(self._reader, opened)) is not None:
                yield table

    def metric(self, keys: Sequence[str], metric: str) -> dict[str, tuple[float | None, ...]]:
        """One curve per result among `keys`."""
        wanted = set(keys)
        found: dict[str, tuple[float | None, ...]] = {}
        for table in self.curves():
            for index, key in enumerate(table["key"].to_pylist()):
                if key in wanted and (values := table[metric][index].as_py()):
                    found[key] = tuple(values)
        return found


class CurveStream:
    """The curves as an Arrow stream that is read anew by each query that needs it.

    DuckDB asks for the schema when it binds a query and for the stream when it runs one, so queries
    that do not mention curves never load them.
    """

    def __init__(self, attempts: Attempts) -> None:
        self._attempts = attempts

    def __arrow_c_schema__(self) -> Any:
        return segment_curves_schema().__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:
        batches = (batch for table in self._attempts.curves() for batch in table.to_batches())
        reader = pa.RecordBatchReader.from_batches(segment_curves_schema(), batches)
        return reader.__arrow_c_stream__(requested_schema)


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


def result_keys(attempts: pa.Table) -> set[str]:
    """Keys that have a result."""
    pairs = zip(attempts["key"].to_pylist(), attempts["outcome"].to_pylist(), strict=True)
    return {key for key, outcome in pairs if outcome != Outcome.FAILED}


def _close_all(files: Sequence[BinaryIO]) -> None:
    for file in files:
        file.close()


def _column(table: pa.Table, field: pa.Field) -> Any:
    if field.name not in table.column_names:
        return pa.nulls(len(table), field.type)
    column = table[field.name]
    return column if column.type == field.type else column.cast(field.type)


def landed_rows(reader: Reader, paths: Sequence[Path]) -> tuple[list[Path], pa.Table]:
    """Rows of small files, and the sound files among `paths`, in the same order.

    A file must hold the one attempt that its name says. Tables of one row are heavy, so they are
    joined batch by batch.
    """
    schema = attempt_schema()
    sound: list[Path] = []
    batches: list[pa.Table] = []
    for start in range(0, len(paths), _BATCH_FILES):
        batch = dict(_sound_tables(reader, paths[start : start + _BATCH_FILES], schema))
        sound += batch
        batches.append(stack(batch.values(), schema))
    return sound, stack(batches, schema)


def _sound_tables(
    reader: Reader, paths: Sequence[Path], schema: pa.Schema
) -> Iterator[tuple[Path, pa.Table]]:
    for path in paths:
        table = reader.table(path, schema)
        if table is None:
            continue
        if _home(reader.root, table) == path:
            yield path, table
        else:
            reader.set_aside(path, "it does not hold the attempt that its name says")


def _home(root: Path, table: pa.Table) -> Path | None:
    """Where an attempt's file belongs, None if the table is no attempt of ours."""
    try:
        (row,) = table.select(["key", "attempt", "outcome"]).to_pylist()
        if Outcome(row["outcome"]).is_result:
            return result_path(root, row["key"])
        return failure_path(root, row["key"], row["attempt"])
    except (ValueError, TypeError, LandingError):
        return None


def not_compacted(landed: pa.Table, segments: Sequence[OpenSegment]) -> pa.Table:
    """Leave out what a segment holds already: the attempt, or an earlier result of its cell."""
    if not len(landed) or not segments:
        return landed
    keys = set().union(*(result_keys(opened.attempts) for opened in segments))
    tried = set().union(*(opened.attempts["attempt"].to_pylist() for opened in segments))
    identity = zip(
        *(landed[name].to_pylist() for name in ("key", "attempt", "outcome")), strict=True
    )
    is_fresh = [
        attempt not in tried and (outcome == Outcome.FAILED or key not in keys)
        for key, attempt, outcome in identity
    ]
    return landed if all(is_fresh) else landed.filter(is_fresh)


def open_segments(reader: Reader) -> list[OpenSegment]:
    """Open the live segments; damaged ones are set aside and left out.

    A live segment that has gone was merged into another, which the pointer names by now.
    """
    live = _live(reader)
    for _ in range(_TRIES):
        try:
            return _opened(reader, live)
        except FileNotFoundError:
            if (now := _live(reader)) == live:
                break
            live = now
    paths = {segment: segment.paths(reader.root) for segment in live}
    gone = [path for pair in paths.values() for path in pair if not path.exists()]
    reader.damaged += [Damage(path, "it is missing", None) for path in gone]
    return _opened(reader, [s for s, pair in paths.items() if not set(pair) & set(gone)])


def open_segment(reader: Reader, segment: Segment) -> OpenSegment:
    """Open one segment. Raises DamagedFileError, or FileNotFoundError if a file has gone."""
    path, curves_path = segment.paths(reader.root)
    content = path.read_bytes()
    _check_name(content, segment.attempts)
    table = reader.parse(path, content, segment_attempts_schema())
    return OpenSegment(segment, table, curves_path.open("rb"))


def segment_curves(reader: Reader, opened: OpenSegment) -> pa.Table | None:
    """The curves of a segment, verified. None, and the segment is set aside, if damaged."""
    path = opened.segment.curves_path(reader.root)
    try:
        file = opened.curves.fileno()
        content = os.pread(file, os.fstat(file).st_size, 0)  # no shared file position
        _check_name(content, opened.segment.curves)
        table = reader.parse(path, content, segment_curves_schema())
        if table["attempt"] != opened.attempts["attempt"]:
            raise DamagedFileError("it does not hold the curves of its attempts")
    except DamagedFileError as error:
        _set_segment_aside(reader, opened.segment, path, str(error))
        return None
    return table


def whole_rows(reader: Reader, opened: OpenSegment) -> pa.Table | None:
    """The attempts of a segment as they landed, curves included. None if it is damaged."""
    curves = segment_curves(reader, opened)
    if curves is None:
        return None
    schema = attempt_schema()
    lists = set(curves.column_names)
    columns = [(curves if f.name in lists else opened.attempts)[f.name] for f in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _live(reader: Reader) -> tuple[Segment, ...]:
    """What the pointer names; if it is damaged, all sound segments that repeat nothing."""
    try:
        return read_current(reader.root)
    except DamagedFileError as error:
        reader.damaged.append(Damage(pointer_path(reader.root), str(error), None))
        return _disjoint(reader.root, segments_on_disk(reader.root))


def _disjoint(root: Path, segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Leave out segments that were merged into a larger one."""
    kept: list[Segment] = []
    seen: set[str] = set()
    for segment in segments:
        tried = set(integrity.peek(segment.attempts_path(root), ("attempt",))[0].to_pylist())
        if seen.isdisjoint(tried):
            kept.append(segment)
            seen |= tried
    return tuple(kept)


def _opened(reader: Reader, segments: Sequence[Segment]) -> list[OpenSegment]:
    """Open all sound ones, or raise FileNotFoundError and leave nothing open."""
    opened: list[OpenSegment] = []
    try:
        for segment in segments:
            try:
                opened.append(open_segment(reader, segment))
            except DamagedFileError as error:
                damaged = segment.attempts_path(reader.root)
                _set_segment_aside(reader, segment, damaged, str(error))
    except FileNotFoundError:
        _close_all([one.curves for one in opened])
        raise
    return opened


def _set_segment_aside(reader: Reader, segment: Segment, damaged: Path, reason: str) -> None:
    """Both files of a segment go together: half of one is of no use."""
    for path in segment.paths(reader.root):
        reader.set_aside(path, reason if path == damaged else f"its pair {damaged.name} is damaged")


def _check_name(content: bytes, digest: str) -> None:
    if integrity.stated_digest(content) != digest:
        raise DamagedFileError("it is not the file that its name says")
