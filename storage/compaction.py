"""Small files → sorted segments, in chunks, with an atomic switch.

For each chunk the segment is written first, then the pointer switches, and only then do the files
that it absorbed go. Killed at any point, the store reads the same: before the switch the segment is
an orphan, after it the small files repeat what the segment holds; the next compaction clears up
either. One compaction runs at a time; readers and landing results never wait for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
from filelock import FileLock, Timeout

from storage import integrity
from storage.durable import make_folder, remove, sweep_temporaries, sync_folder
from storage.layout import ATTEMPTS, SEGMENTS, files_in
from storage.reading import (
    Damage,
    Reader,
    conform,
    landed_rows,
    not_compacted,
    open_segment,
    open_segments,
    stack,
    whole_rows,
)
from storage.schema import (
    SCHEMA_VERSION,
    VERSION_KEY,
    attempt_schema,
    segment_attempts_schema,
    segment_curves_schema,
)
from storage.segments import POINTER, Segment, switch_current, write_segment
from storage.store import read_view

CHUNK_ROWS = 2500
"""Attempts per segment. Bounds the memory of a compaction, and what one damaged file can cost."""

ORDER = "dataset, noise, noise_rate, architecture, loss, loss_parameters, seed, key, attempt"
"""Rows in this order repeat their neighbours' values, which compresses well."""

MEMORY_LIMIT = "2GB"


@dataclass(frozen=True)
class Compaction:
    """What a compaction did.

    Args:
        num_absorbed: small files that are now in segments.
        num_segments: live segments afterwards.
        damaged: files that were set aside.
        is_busy: nothing was done, because another compaction is running.
    """

    num_absorbed: int = 0
    num_segments: int = 0
    damaged: tuple[Damage, ...] = ()
    is_busy: bool = False


def compact(root: Path | str) -> Compaction:
    """Absorb all small files into segments. Raises LandingError if the store cannot be written."""
    root = Path(root)
    if not (root / ATTEMPTS).is_dir():
        return Compaction()
    make_folder(root / SEGMENTS)
    try:
        with FileLock(root / SEGMENTS / ".lock", blocking=False):
            return _Compactor(root).run()
    except Timeout:
        return Compaction(is_busy=True)


class _Compactor:
    """One run over one store, under the lock."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._reader = Reader(root, read_only=False)
        self._live = open_segments(self._reader)

    def run(self) -> Compaction:
        for folder in (ATTEMPTS, SEGMENTS):
            sweep_temporaries(self._root / folder)
        paths = files_in(self._root / ATTEMPTS)
        if self._reader.damaged:
            self._switch()  # the pointer named what is not there
        try:
            num_absorbed = sum(self._absorb(chunk) for chunk in _chunks(paths, CHUNK_ROWS))
            self._remove_orphans()
        finally:
            for opened in self._live:
                opened.curves.close()
        return Compaction(num_absorbed, len(self._live), tuple(self._reader.damaged))

    def _absorb(self, paths: Sequence[Path]) -> int:
        """Put one chunk of small files, and small segments that fit in, into a new segment."""
        found, landed = landed_rows(self._reader, paths)
        fresh = not_compacted(landed, self._live)
        if len(fresh):
            rows = [fresh, *self._take_small_segments(CHUNK_ROWS - len(fresh))]
            segment = _write(self._root, stack(rows, attempt_schema()))
            self._live.append(open_segment(self._reader, segment))  # read back before inputs go
            self._switch()
        for path in found:
            remove(path)
        sync_folder(self._root / ATTEMPTS)
        return len(found)

    def _take_small_segments(self, capacity: int) -> Iterator[pa.Table]:
        """Rows of small segments, the smallest first, which are no longer live from then on."""
        for opened in sorted(self._live, key=lambda opened: opened.segment.num_rows):
            if opened.segment.num_rows > min(capacity, CHUNK_ROWS // 2):
                return
            self._live.remove(opened)
            rows = whole_rows(self._reader, opened)
            opened.curves.close()
            if rows is not None:
                capacity -= len(rows)
                yield rows

    def _switch(self) -> None:
        switch_current(self._root, [opened.segment for opened in self._live])

    def _remove_orphans(self) -> None:
        """Remove what no pointer names: written before a kill, or merged. Damage is set aside."""
        live = {path for opened in self._live for path in opened.segment.paths(self._root)}
        for path in files_in(self._root / SEGMENTS):
            if path in live or path.name == POINTER:
                continue
            try:
                integrity.read(path, ("key",))
                remove(path)
            except integrity.DamagedFileError as error:
                self._reader.set_aside(path, str(error))
        sync_folder(self._root / SEGMENTS)


def _write(root: Path, landed: pa.Table) -> Segment:
    """Sort attempts, take the figures of their curves, and write both as a segment."""
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"set memory_limit = '{MEMORY_LIMIT}'; set timezone = 'UTC'")
        connection.register("landed_rows", landed)
        connection.execute(read_view("landed_summaries"))
        attempts = connection.view("landed_summaries").order(ORDER).to_arrow_table()
        curves = connection.view("landed_rows").order(ORDER).to_arrow_table()
    version = {VERSION_KEY: str(SCHEMA_VERSION).encode()}
    return write_segment(
        root,
        conform(attempts, segment_attempts_schema()).replace_schema_metadata(version),
        conform(curves, segment_curves_schema()).replace_schema_metadata(version),
    )


def _chunks(paths: Sequence[Path], size: int) -> Iterator[Sequence[Path]]:
    return (paths[start : start + size] for start in range(0, len(paths), size))
