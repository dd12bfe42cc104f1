"""Small files → sorted segments, in chunks, with an atomic switch.

For each chunk the segment is written first, then the pointer switches, and only then do the files
that it absorbed go. Killed at any point, the store reads the same: before the switch the segment is
an orphan, after it the small files repeat what the segment holds; the next compaction clears up
either. One compaction runs at a time; readers and landing results never wait for it.

A damaged segment is mended in the same way: what is sound of it is written as a new one, and its
files are set aside. Compacting mends what it meets; `mend` looks at every byte first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
from filelock import FileLock, Timeout

from storage import integrity
from storage.checking.screening import whole_numbers
from storage.durable import make_folder, remove, sweep_temporaries, sync_folder
from storage.layout import ATTEMPTS, SEGMENTS, files_in, quarantine
from storage.probe import check_location
from storage.reader import Damage, Reader, conform, stack
from storage.reading import landed_rows, not_compacted
from storage.schema import (
    SCHEMA_VERSION,
    VERSION_KEY,
    segment_attempts_schema,
    segment_curves_schema,
)
from storage.segments.files import COPY_SUFFIX, POINTER, Segment, switch_current, write_segment
from storage.segments.opening import (
    OpenSegment,
    check_segment,
    open_segment,
    open_segments,
    sound_rows,
)
from storage.store import read_view

CHUNK_ROWS = 2500
"""Attempts per segment. Bounds the memory of a compaction."""

ORDER = "dataset, noise, noise_rate, architecture, loss, loss_parameters, seed, key, attempt"
"""Rows in this order repeat their neighbours' values, which compresses well."""

MEMORY_LIMIT = "2GB"


@dataclass(frozen=True)
class Compaction:
    """What a compaction did.

    Args:
        num_absorbed: small files that are now in segments.
        num_segments: live segments afterwards.
        damaged: what was damaged; its files are in the quarantine now.
        is_busy: nothing was done, because another compaction is running.
    """

    num_absorbed: int = 0
    num_segments: int = 0
    damaged: tuple[Damage, ...] = ()
    is_busy: bool = False


def compact(root: Path | str) -> Compaction:
    """Absorb all small files into segments. Raises LandingError if the store cannot be written."""
    return _locked(Path(root), _Compactor.run)


def mend(root: Path | str) -> Compaction:
    """The same, after a look at every byte: what is sound of a damaged segment is written anew."""
    return _locked(Path(root), _Compactor.mend)


def _locked(root: Path, work: Callable[[_Compactor], Compaction]) -> Compaction:
    check_location(root)
    if not (root / ATTEMPTS).is_dir() and not (root / SEGMENTS).is_dir():
        return Compaction()
    make_folder(root / SEGMENTS)
    try:
        with FileLock(root / SEGMENTS / ".lock", blocking=False):
            return work(_Compactor(root))
    except Timeout:
        return Compaction(is_busy=True)


@dataclass(frozen=True)
class _Rows:
    """Attempts with the figures of their curves, and the curves in the same order."""

    attempts: pa.Table
    curves: pa.Table

    def __len__(self) -> int:
        return len(self.attempts)


class _Compactor:
    """One run over one store, under the lock."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._reader = Reader(root, read_only=False)
        self._live = open_segments(self._reader)
        self._aside: set[Path] = set()

    def mend(self) -> Compaction:
        try:
            for opened in self._live:
                check_segment(self._reader, opened)
            return self._run()
        finally:
            self._close()

    def run(self) -> Compaction:
        try:
            return self._run()
        finally:
            self._close()

    def _run(self) -> Compaction:
        for folder in (ATTEMPTS, SEGMENTS):
            sweep_temporaries(self._root / folder)
        paths = files_in(self._root / ATTEMPTS)
        if self._reader.damaged:
            self._switch()  # the pointer named what is not there
        num_absorbed = sum(self._absorb(chunk) for chunk in _chunks(paths, CHUNK_ROWS))
        self._write_damaged_anew()
        self._remove_orphans()
        return Compaction(num_absorbed, len(self._live), tuple(self._reader.damaged))

    def _close(self) -> None:
        for opened in self._live:
            opened.close()

    def _absorb(self, paths: Sequence[Path]) -> int:
        """Put one chunk of small files, and small segments that fit in, into a new segment."""
        found, landed = landed_rows(self._reader, paths)
        fresh = not_compacted(landed, self._live)
        if len(fresh):
            taken = list(self._small_segments(CHUNK_ROWS - len(fresh)))
            self._replace(taken, [_landed(fresh), *map(self._rows, taken)])
        for path in found:
            remove(path)
        sync_folder(self._root / ATTEMPTS)
        return len(found)

    def _small_segments(self, capacity: int) -> Iterator[OpenSegment]:
        """Live segments that fit in, the smallest first."""
        for opened in sorted(self._live, key=lambda opened: opened.segment.num_rows):
            if opened.segment.num_rows > min(capacity, CHUNK_ROWS // 2):
                return
            capacity -= opened.segment.num_rows
            yield opened

    def _write_damaged_anew(self) -> None:
        """Put what is sound of each damaged segment into a new one."""
        for opened in [one for one in self._live if self._is_damaged(one)]:
            rows = self._rows(opened)
            self._replace([opened], [rows] if len(rows) else [])

    def _replace(self, former: Sequence[OpenSegment], rows: Sequence[_Rows]) -> None:
        """Make one segment of `rows` live in place of `former`; those that are damaged go aside."""
        kept = [opened for opened in self._live if opened not in former]
        if rows:
            segment = _write(self._root, rows)
            kept.append(open_segment(self._reader, segment))  # read back before inputs go
        self._live = kept
        for opened in former:
            if self._is_damaged(opened):
                self._aside |= set(opened.segment.paths(self._root))
            opened.close()
        self._switch()

    def _rows(self, opened: OpenSegment) -> _Rows:
        return _Rows(*sound_rows(self._reader, opened))

    def _is_damaged(self, opened: OpenSegment) -> bool:
        paths = opened.segment.paths(self._root)
        return any(one.path in paths for one in self._reader.damaged)

    def _switch(self) -> None:
        switch_current(self._root, [opened.segment for opened in self._live])

    def _remove_orphans(self) -> None:
        """Remove what no pointer names: written before a kill, or merged.

        What was damaged is set aside. If a file turns out to be damaged here, all orphans are: one
        of them may be its other half.
        """
        live = {path for opened in self._live for path in opened.segment.paths(self._root)}
        orphans = [
            path
            for path in files_in(self._root / SEGMENTS)
            if path not in live and path.name != POINTER
        ]
        damaged = [path for path in orphans if path not in self._aside and not _is_sound(path)]
        # Copies go first, so that a reader that misses one knows that its segment was merged.
        for path in sorted(orphans, key=_removal_order):
            if damaged or path in self._aside:
                quarantine(self._root, path)
            else:
                remove(path)
        sync_folder(self._root / SEGMENTS)


def _is_sound(path: Path) -> bool:
    try:
        integrity.read(path, ("key",))
    except integrity.DamagedFileError:
        return False
    return True


def _removal_order(path: Path) -> bool:
    return not path.name.endswith(COPY_SUFFIX)


def _landed(rows: pa.Table) -> _Rows:
    """Attempts as they landed, with the figures of their curves."""
    with _connection() as connection:
        connection.register("landed_rows", rows)
        connection.execute(read_view("landed_summaries"))
        attempts = connection.view("landed_summaries").to_arrow_table()
    curves = rows.select(segment_curves_schema().names)
    return _Rows(conform(attempts, segment_attempts_schema()), curves)


def _write(root: Path, rows: Sequence[_Rows]) -> Segment:
    """Sort attempts, and write them and their curves as a segment."""
    attempts = stack((one.attempts for one in rows), segment_attempts_schema())
    curves = stack((one.curves for one in rows), segment_curves_schema())
    order = _order(attempts)
    version = {VERSION_KEY: str(SCHEMA_VERSION).encode()}
    return write_segment(
        root,
        attempts.take(order).replace_schema_metadata(version),
        curves.take(order).replace_schema_metadata(version),
    )


def _order(attempts: pa.Table) -> pa.ChunkedArray:
    """Places of the rows as a segment has them."""
    places = whole_numbers(range(len(attempts)))
    with _connection() as connection:
        connection.register("numbered", attempts.append_column("place", places))
        return connection.sql(f"select place from numbered order by {ORDER}").to_arrow_table()[0]


def _connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:")
    connection.execute(f"set memory_limit = '{MEMORY_LIMIT}'; set timezone = 'UTC'")
    return connection


def _chunks(paths: Sequence[Path], size: int) -> Iterator[Sequence[Path]]:
    return (paths[start : start + size] for start in range(0, len(paths), size))
