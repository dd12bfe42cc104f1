"""Every attempt of a store as Arrow tables.

Small files are read before the pointer to the segments, so a result that a compaction moves
meanwhile is met in its new place, its old one, or both, and never missed; the segment wins. Knows
files and columns, no SQL.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from storage.checking.screening import refused_curves, refused_facts, whole_numbers
from storage.durable import LandingError
from storage.layout import ATTEMPTS, failure_path, files_in, result_path
from storage.reader import Damage, Reader, stack
from storage.schema import (
    Outcome,
    attempt_schema,
    segment_attempts_schema,
    segment_curves_schema,
)
from storage.segments.opening import (
    OpenSegment,
    check_segment,
    close_all,
    num_without_curves,
    open_segments,
    segment_curves,
    whole_rows,
)

__all__ = [
    "Attempts",
    "CurveStream",
    "Damage",
    "Reader",
    "landed_rows",
    "not_compacted",
    "stack",
    "whole_rows",
]

_BATCH_FILES = 500


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
        self.close = weakref.finalize(self, close_all, self.segments)

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

    def num_without_curves(self) -> int:
        """Results whose curves are lost; a mended segment keeps the rest of them."""
        return sum(num_without_curves(self._reader, opened) for opened in self.segments)

    def metric(self, attempts: Iterable[str], metric: str) -> dict[str, tuple[float | None, ...]]:
        """One curve per result among `attempts`."""
        wanted = set(attempts)
        found: dict[str, tuple[float | None, ...]] = {}
        for table in self.curves():
            for index, attempt in enumerate(table["attempt"].to_pylist()):
                if attempt in wanted and (values := table[metric][index].as_py()):
                    found[attempt] = tuple(values)
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


def result_keys(attempts: pa.Table) -> set[tuple[str, int]]:
    """(key, edition) of every result."""
    names = ("key", "edition", "outcome")
    rows = zip(*(attempts[name].to_pylist() for name in names), strict=True)
    return {(key, edition or 0) for key, edition, outcome in rows if outcome != Outcome.FAILED}


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
    if not refused:
        return paths, landed
    for place, problem in refused.items():
        if paths[place] in reader.newer:
            reader.report(Damage(paths[place], problem, None, num_lost=1))
        else:
            reader.set_aside(paths[place], problem)
    kept = [place for place in range(len(paths)) if place not in refused]
    return [paths[place] for place in kept], landed.take(whole_numbers(kept))


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
