"""Verified files → Arrow tables. What is damaged, or cannot be true, is listed and never raised.

A damaged small file is set aside. A segment stays where it is, since its sound rows are served; a
compaction writes them anew and sets the damaged files aside.

Small files are read before the pointer to the segments, so a result that a compaction moves
meanwhile is met in its new place, its old one, or both, and never missed; the segment wins. Knows
files and columns, no SQL.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from storage.screening import refused_curves, refused_facts
from storage.segments import (
    Segment,
    check_copy,
    pointer_path,
    read_attempts,
    read_current,
    segments_on_disk,
    sound_curves,
)

_BATCH_FILES = 500
_NAMES = ("key", "attempt")
_TRIES = 20
"""How often the pointer is read again when a segment it names has gone."""


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
            self.report(Damage(path, f"it cannot be read: {error.strerror}", None))
        return None

    def parse(self, path: Path, content: bytes, schema: pa.Schema) -> pa.Table:
        """Rows in `content`, read from `path`. Raises DamagedFileError."""
        return self.conformed(path, integrity.decode(content), schema)

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


@dataclass(frozen=True)
class OpenSegment:
    """A segment as opened: its attempts in memory, its curves an open file, read when asked for.

    An open file outlives its name, so a compaction does not disturb who opened it before. None if
    the file has gone.
    """

    segment: Segment
    attempts: pa.Table
    curves: BinaryIO | None

    def close(self) -> None:
        if self.curves:
            self.curves.close()


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
        self.close = weakref.finalize(self, _close_all, self.segments)

    def curves(self) -> Iterator[pa.Table]:
        """Curves of all attempts, one table per segment, so that memory stays bounded."""
        schema = segment_curves_schema()
        yield self.landed.select(schema.names)
        for opened in self.segments:
            yield segment_curves(self._reader, opened)

    def verify(self) -> None:
        """Check what opening left for later; the reader keeps account of the damage."""
        for opened in self.segments:
            check_segment(self._reader, opened)

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


def result_keys(attempts: pa.Table) -> set[tuple[str, int]]:
    """(key, edition) of every result."""
    names = ("key", "edition", "outcome")
    rows = zip(*(attempts[name].to_pylist() for name in names), strict=True)
    return {(key, edition or 0) for key, edition, outcome in rows if outcome != Outcome.FAILED}


def _close_all(segments: Sequence[OpenSegment]) -> None:
    for opened in segments:
        opened.close()


def _column(table: pa.Table, field: pa.Field) -> Any:
    if field.name not in table.column_names:
        return pa.nulls(len(table), field.type)
    column = table[field.name]
    return column if column.type == field.type else column.cast(field.type)


def landed_rows(reader: Reader, paths: Sequence[Path]) -> tuple[list[Path], pa.Table]:
    """Rows of small files, and the sound files among `paths`, in the same order.

    A file must hold the one attempt that its name says, and one that can be true. Tables of one row
    are heavy, so they are joined batch by batch.
    """
    schema = attempt_schema()
    sound: list[Path] = []
    batches: list[pa.Table] = []
    for start in range(0, len(paths), _BATCH_FILES):
        batch = dict(_sound_tables(reader, paths[start : start + _BATCH_FILES], schema))
        sound += batch
        batches.append(stack(batch.values(), schema))
    return _without_refused(reader, sound, stack(batches, schema))


def _without_refused(
    reader: Reader, paths: list[Path], landed: pa.Table
) -> tuple[list[Path], pa.Table]:
    """Leave out and set aside the files whose attempt contradicts itself.

    What a newer version wrote is left where it is: its rules may be others.
    """
    refused = refused_curves(landed, landed) | refused_facts(landed)
    for place, problem in refused.items():
        if paths[place] in reader.newer:
            reader.report(Damage(paths[place], problem, None, num_lost=1))
        else:
            reader.set_aside(paths[place], problem)
    kept = [place for place in range(len(paths)) if place not in refused]
    return [paths[place] for place in kept], landed.take(kept) if refused else landed


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
        (row,) = table.select(["key", "edition", "attempt", "outcome"]).to_pylist()
        if Outcome(row["outcome"]).is_result:
            return result_path(root, row["key"], row["edition"] or 0)
        return failure_path(root, row["key"], row["attempt"])
    except (ValueError, TypeError, LandingError):
        return None


def not_compacted(landed: pa.Table, segments: Sequence[OpenSegment]) -> pa.Table:
    """Leave out what a segment holds already: the attempt, or a result of the same edition."""
    if not len(landed) or not segments:
        return landed
    results = set().union(*(result_keys(opened.attempts) for opened in segments))
    tried = set().union(*(opened.attempts["attempt"].to_pylist() for opened in segments))
    names = ("key", "edition", "attempt", "outcome")
    identity = zip(*(landed[name].to_pylist() for name in names), strict=True)
    is_fresh = [
        attempt not in tried and (outcome == Outcome.FAILED or (key, edition or 0) not in results)
        for key, edition, attempt, outcome in identity
    ]
    return landed if all(is_fresh) else landed.filter(is_fresh)


def open_segments(reader: Reader) -> list[OpenSegment]:
    """Open the live segments, as far as they are sound and can be true.

    A live segment that has gone was merged into another, which the pointer names by now.
    """
    live = _live(reader)
    for _ in range(_TRIES):
        try:
            return _without_refused_rows(reader, _opened(reader, live))
        except FileNotFoundError:
            if (now := _live(reader)) == live:
                break
            live = now
    left = [segment for segment in live if _report_missing(reader, segment)]
    return _without_refused_rows(reader, _opened(reader, left, _open_if_there))


def open_segment(reader: Reader, segment: Segment) -> OpenSegment:
    """Open one segment. Raises DamagedFileError, or FileNotFoundError if a file has gone."""
    return OpenSegment(
        segment, _attempts(reader, segment), segment.curves_path(reader.root).open("rb")
    )


def segment_curves(reader: Reader, opened: OpenSegment) -> pa.Table:
    """The curves of a segment's attempts, in the same order; null where they are lost.

    What is lost, and what cannot be true, is reported.
    """
    curves, faults = _aligned_curves(reader, opened)
    if refused := refused_curves(opened.attempts, curves):
        places = [None if place in refused else place for place in range(len(curves))]
        curves = _in_places(curves, places, opened.attempts)
        faults += _in_words(opened.attempts, refused)
    if faults:
        path = opened.segment.curves_path(reader.root)
        lost = _num_without_curves(opened.attempts, curves)
        for fault in faults:
            reader.report(Damage(path, fault, None, _curve_cost(lost), lost))
    return curves


def check_segment(reader: Reader, opened: OpenSegment) -> None:
    """Read what opening a segment left unread, and report what is damaged."""
    segment_curves(reader, opened)
    if not opened.segment.attempts_path(reader.root).exists():
        return  # lost, which opening has told, or merged away by now
    if fault := check_copy(reader.root, opened.segment, opened.attempts):
        path = opened.segment.copy_path(reader.root)
        reader.report(Damage(path, fault, None, "nothing is missing, it is a copy", 0))


def whole_rows(reader: Reader, opened: OpenSegment) -> pa.Table:
    """The attempts of a segment as they landed, curves included; null where they are lost."""
    curves = segment_curves(reader, opened)
    schema = attempt_schema()
    lists = set(curves.column_names)
    columns = [(curves if f.name in lists else opened.attempts)[f.name] for f in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _attempts(reader: Reader, segment: Segment) -> pa.Table:
    """The attempts of a segment. Raises DamagedFileError, or FileNotFoundError if they are gone."""
    path = segment.attempts_path(reader.root)
    table, fault = read_attempts(reader.root, segment)
    if fault:
        reader.report(Damage(path, fault, None, "nothing is missing, its copy is served", 0))
    return reader.conformed(path, table, segment_attempts_schema())


def _aligned_curves(reader: Reader, opened: OpenSegment) -> tuple[pa.Table, list[str]]:
    """Curves in the order of the attempts, and what is wrong with their file."""
    attempts, schema = opened.attempts, segment_curves_schema()
    path = opened.segment.curves_path(reader.root)
    if opened.curves is None:
        return _in_places(empty(schema), [None] * len(attempts), attempts), ["it is missing"]
    file = opened.curves.fileno()
    content = os.pread(file, os.fstat(file).st_size, 0)  # no shared file position
    try:
        found, fault = sound_curves(content, opened.segment, attempts)
        table = reader.conformed(path, found.table, schema)
    except DamagedFileError as error:
        return _in_places(empty(schema), [None] * len(attempts), attempts), [str(error)]
    faults = [fault] if fault else []
    if table["attempt"] == attempts["attempt"] and table["key"] == attempts["key"]:
        return table, faults
    names = _names(table)
    place_of = {name: place for place, name in enumerate(names)}
    places = [place_of.get(name) for name in _names(attempts)]
    if None in places and not faults:
        faults = ["it does not hold the curves of its attempts"]
    return _in_places(table, places, attempts), faults


def _names(table: pa.Table) -> list[tuple[str, str]]:
    return list(zip(table["key"].to_pylist(), table["attempt"].to_pylist(), strict=True))


def _in_places(curves: pa.Table, places: Sequence[int | None], attempts: pa.Table) -> pa.Table:
    """Rows of `curves` for each of `attempts`; one without a place keeps its name alone."""
    schema = segment_curves_schema()
    taken = curves.take(pa.array(places, pa.int64()))
    columns = [attempts[f.name] if f.name in _NAMES else taken[f.name] for f in schema]
    return pa.Table.from_arrays(columns, schema=schema)


def _num_without_curves(attempts: pa.Table, curves: pa.Table) -> int:
    is_lost = zip(
        attempts["outcome"].to_pylist(), curves["epoch"].is_null().to_pylist(), strict=True
    )
    return sum(lost and outcome != Outcome.FAILED for outcome, lost in is_lost)


def _curve_cost(num_lost: int) -> str:
    if not num_lost:
        return "nothing is missing"
    return f"the curves of {num_lost} results are missing, their last and best figures are there"


def _in_words(attempts: pa.Table, refused: Mapping[int, str]) -> list[str]:
    """What is wrong with rows: each problem once, with the first cell that has it."""
    places: dict[str, list[int]] = {}
    for place, problem in refused.items():
        places.setdefault(problem, []).append(place)
    keys = attempts["key"].to_pylist()
    return [
        f"{problem}: cell {(keys[found[0]] or '')[:12]}"
        + (f" and {len(found) - 1} more" if len(found) > 1 else "")
        for problem, found in places.items()
    ]


def _without_refused_rows(reader: Reader, segments: Sequence[OpenSegment]) -> list[OpenSegment]:
    """Leave out attempts that contradict themselves."""
    if not segments:
        return []
    refused = refused_facts(stack((s.attempts for s in segments), segment_attempts_schema()))
    if not refused:
        return list(segments)
    kept, start = [], 0
    for opened in segments:
        num_rows = len(opened.attempts)
        kept.append(
            _without(
                reader,
                opened,
                {p - start: t for p, t in refused.items() if start <= p < start + num_rows},
            )
        )
        start += num_rows
    return kept


def _without(reader: Reader, opened: OpenSegment, refused: Mapping[int, str]) -> OpenSegment:
    path = opened.segment.attempts_path(reader.root)
    for words in _in_words(opened.attempts, refused):
        reader.report(
            Damage(path, words, None, f"{len(refused)} attempts are not served", len(refused))
        )
    is_kept = [place not in refused for place in range(len(opened.attempts))]
    return replace(opened, attempts=opened.attempts.filter(is_kept))


def _live(reader: Reader) -> tuple[Segment, ...]:
    """What the pointer names; if it is damaged, all sound segments that repeat nothing."""
    try:
        return read_current(reader.root)
    except DamagedFileError as error:
        damage = Damage(pointer_path(reader.root), str(error), None, "nothing is missing", 0)
        reader.report(damage)
        return _disjoint(reader.root, segments_on_disk(reader.root))


def _disjoint(root: Path, segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """Leave out segments that were merged into a larger one."""
    kept: list[Segment] = []
    seen: set[str] = set()
    for segment in segments:
        tried = set(read_attempts(root, segment)[0]["attempt"].to_pylist())
        if seen.isdisjoint(tried):
            kept.append(segment)
            seen |= tried
    return tuple(kept)


def _opened(
    reader: Reader,
    segments: Sequence[Segment],
    open_one: Callable[[Reader, Segment], OpenSegment] = open_segment,
) -> list[OpenSegment]:
    """Open all sound ones, or raise FileNotFoundError and leave nothing open."""
    opened: list[OpenSegment] = []
    try:
        for segment in segments:
            try:
                opened.append(open_one(reader, segment))
            except DamagedFileError as error:
                path = segment.attempts_path(reader.root)
                reader.report(Damage(path, str(error), None, num_lost=segment.num_rows))
    except FileNotFoundError:
        _close_all(opened)
        raise
    return opened


def _report_missing(reader: Reader, segment: Segment) -> bool:
    """Report a segment whose attempts have gone with their copy. Returns whether they are there."""
    path, copy, _ = segment.paths(reader.root)
    if path.exists() or copy.exists():
        return True
    reader.report(Damage(path, "it is missing", None, num_lost=segment.num_rows))
    return False


def _open_if_there(reader: Reader, segment: Segment) -> OpenSegment:
    """Open a segment whose curves may have gone, which is told when they are asked for."""
    try:
        return open_segment(reader, segment)
    except FileNotFoundError:
        return OpenSegment(segment, _attempts(reader, segment), None)
