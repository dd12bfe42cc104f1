"""Compacted results: segments of a few files, and the pointer that says which are live.

A segment is two self-verifying files named by their digests: the attempts (one row each, with the
last and best figures) and their curves, in the same order. Questions about cells read the first
only. `CURRENT`, replaced by an atomic rename, names the live segments; nothing else decides. A
segment never changes.

What is damaged must not take more with it. The attempts, a few hundred bytes each, are there twice:
if one file is damaged, its copy is served. The curves, by far the larger part, are written in
groups of rows with a digest each; the attempts keep a copy of the curves' footer, so that every
sound group can be read whatever else has happened to its file. Segments of older versions have
neither.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from storage import integrity
from storage.checking.content import facts_problem, figures_problem
from storage.durable import put_if_absent, replace
from storage.integrity import DamagedFileError, Salvage
from storage.layout import KEY, SEGMENTS, keep_aside
from storage.schema import Outcome

POINTER = "CURRENT"
ATTEMPTS_SUFFIX, CURVES_SUFFIX = ".attempts.parquet", ".curves.parquet"
COPY_SUFFIX = ".copy.parquet"
CURVES_KEY = b"orchestrator.curves"
"""Metadata of an attempts file: the digest of its curves, so that a lost pointer can be rebuilt."""

FOOTER_KEY = b"orchestrator.curves_footer"
"""Metadata of an attempts file: the footer of its curves, compressed, in base64."""

GROUP_ROWS = 100
"""Attempts a group of curves: what one damaged byte costs. Smaller groups are slower to read."""


@dataclass(frozen=True)
class Segment:
    """One segment: the digests that name its two files, and its number of attempts."""

    attempts: str
    curves: str
    num_rows: int

    def attempts_path(self, root: Path) -> Path:
        return root / SEGMENTS / f"{self.attempts}{ATTEMPTS_SUFFIX}"

    def copy_path(self, root: Path) -> Path:
        """The second copy of the attempts."""
        return root / SEGMENTS / f"{self.attempts}{COPY_SUFFIX}"

    def curves_path(self, root: Path) -> Path:
        return root / SEGMENTS / f"{self.curves}{CURVES_SUFFIX}"

    def paths(self, root: Path) -> tuple[Path, Path, Path]:
        return self.attempts_path(root), self.copy_path(root), self.curves_path(root)


def pointer_path(root: Path) -> Path:
    """Where `CURRENT` lies."""
    return root / SEGMENTS / POINTER


def read_current(root: Path) -> tuple[Segment, ...]:
    """The live segments, oldest first; none before the first compaction.

    Raises DamagedFileError if the pointer is not what was written.
    """
    try:
        record = json.loads(integrity.read_bytes(pointer_path(root)))
        entries, stated = record["segments"], record["sha256"]
    except FileNotFoundError:
        return ()
    except (ValueError, TypeError, KeyError) as error:
        raise DamagedFileError("it is not a list of segments") from error
    if _entries_digest(entries) != stated:
        raise DamagedFileError("its content does not match its digest")
    return tuple(Segment(**entry) for entry in entries)


def switch_current(root: Path, segments: Sequence[Segment]) -> None:
    """Make `segments` the live ones, atomically."""
    entries = [asdict(segment) for segment in segments]
    record = {"segments": entries, "sha256": _entries_digest(entries)}
    replace(pointer_path(root), json.dumps(record, indent=1).encode())


def segments_on_disk(root: Path) -> tuple[Segment, ...]:
    """Every segment in the folder, the largest first: what is live if the pointer is lost."""
    folder = root / SEGMENTS
    digests = {
        path.name.removesuffix(suffix)
        for suffix in (ATTEMPTS_SUFFIX, COPY_SUFFIX)
        for path in folder.glob(f"*{suffix}")
    }
    found = []
    for digest in filter(KEY.fullmatch, digests):
        try:
            table, _ = read_attempts(root, Segment(digest, "", 0))
        except (DamagedFileError, FileNotFoundError):
            continue
        curves = _metadata(table).get(CURVES_KEY, b"").decode("ascii", "replace")
        if KEY.fullmatch(curves):
            found.append(Segment(digest, curves, len(table)))
    return tuple(sorted(found, key=lambda segment: (-segment.num_rows, segment.attempts)))


def write_segment(root: Path, attempts: pa.Table, curves: pa.Table) -> Segment:
    """Write the files of a segment; it is not live before `switch_current`."""
    curve_bytes = integrity.encode(curves, GROUP_ROWS)
    curves_digest = integrity.stated_digest(curve_bytes)
    footer = base64.b64encode(zlib.compress(integrity.footer(curve_bytes), 9))
    metadata = {**_metadata(attempts), CURVES_KEY: curves_digest.encode(), FOOTER_KEY: footer}
    attempt_bytes = integrity.encode(attempts.replace_schema_metadata(metadata))
    segment = Segment(integrity.stated_digest(attempt_bytes), curves_digest, len(attempts))
    _put(root, segment.curves_path(root), curve_bytes)
    _put(root, segment.copy_path(root), attempt_bytes)
    _put(root, segment.attempts_path(root), attempt_bytes)
    return segment


def read_attempts(root: Path, segment: Segment) -> tuple[pa.Table, str | None]:
    """The attempts of a segment, and what is wrong with their file if its copy stands in for it.

    Raises DamagedFileError if neither is sound, and FileNotFoundError if both have gone. A
    compaction removes the copy first, so a file that has gone alone was lost.
    """
    path, copy = segment.attempts_path(root), segment.copy_path(root)
    try:
        return _read_named(path, segment.attempts), None
    except FileNotFoundError:
        return _read_named(copy, segment.attempts), "it is missing"
    except DamagedFileError as error:
        try:
            return _read_named(copy, segment.attempts), str(error)
        except (DamagedFileError, FileNotFoundError):
            raise error from None


def check_copy(root: Path, segment: Segment, attempts: pa.Table) -> str | None:
    """What is wrong with the second copy of the attempts; older segments need none."""
    try:
        _read_named(segment.copy_path(root), segment.attempts)
    except FileNotFoundError:
        return "it is missing" if FOOTER_KEY in _metadata(attempts) else None
    except DamagedFileError as error:
        return str(error)
    return None


def sound_curves(
    content: bytes, segment: Segment, attempts: pa.Table
) -> tuple[Salvage, str | None]:
    """The sound rows of a curves file, and what is wrong with it if that is not all.

    Raises DamagedFileError if no row can be trusted.
    """
    try:
        table = _decode_named(content, segment.curves)
        return Salvage(table, len(table)), None
    except DamagedFileError as error:
        if footer := _metadata(attempts).get(FOOTER_KEY):
            return integrity.salvage(content, zlib.decompress(base64.b64decode(footer))), str(error)
        raise


def find_result(root: Path, key: str, edition: int = 0) -> tuple[Path, dict[str, Any]] | None:
    """The compacted result of a cell's edition: its file, and its row with its curves.

    Curves that were lost are not in the row. None if there is no result to trust.
    """
    for segment in _live(root):
        if row := _find_in(root, segment, key, edition):
            return segment.attempts_path(root), row
    return None


def _live(root: Path) -> tuple[Segment, ...]:
    """The live segments; none if the pointer is damaged, which the reader reports.

    An attempt then lands as a file of its own, and is recognised by the next compaction.
    """
    try:
        return read_current(root)
    except DamagedFileError:
        return ()


def _find_in(root: Path, segment: Segment, key: str, edition: int) -> dict[str, Any] | None:
    try:
        if (key, edition) not in _results(root, segment):
            return None
        attempts, _ = read_attempts(root, segment)
        row = attempts.slice(_results(root, segment)[key, edition], 1).to_pylist()[0]
        if facts_problem(row) or figures_problem(row):
            return None  # no reader serves it
        return {**row, **_curves_of(root, segment, attempts, row["attempt"])}
    except (DamagedFileError, FileNotFoundError):
        return None


def _curves_of(root: Path, segment: Segment, attempts: pa.Table, attempt: str) -> dict[str, Any]:
    """The curves of one attempt; nothing if they are lost."""
    try:
        content = integrity.read_bytes(segment.curves_path(root))
        curves = sound_curves(content, segment, attempts)[0].table
    except (DamagedFileError, FileNotFoundError):
        return {}
    places = curves["attempt"].to_pylist()
    if attempt not in places:
        return {}
    return dict(curves.slice(places.index(attempt), 1).to_pylist()[0])


@lru_cache(maxsize=256)
def _results(root: Path, segment: Segment) -> Mapping[tuple[str, int], int]:
    """(key, edition) of each result → its row. A segment never changes: a worker reads it once."""
    attempts, _ = read_attempts(root, segment)
    names = ("key", "edition", "outcome")
    rows = attempts.select([n for n in names if n in attempts.column_names]).to_pylist()
    return {
        (row["key"], row.get("edition") or 0): place
        for place, row in reversed(list(enumerate(rows)))
        if Outcome(row["outcome"]).is_result
    }


def _read_named(path: Path, digest: str) -> pa.Table:
    return _decode_named(integrity.read_bytes(path), digest)


def _decode_named(content: bytes, digest: str) -> pa.Table:
    """The table in a sound file that bears its own digest as its name. Raises DamagedFileError."""
    table = integrity.decode(content)
    if integrity.stated_digest(content) != digest:
        raise DamagedFileError("it is not the file that its name says")
    return table


def _put(root: Path, path: Path, content: bytes) -> None:
    """Write a file named by the digest of its content. One that is there and differs is damaged.

    It is kept aside, and replaced in one step, so that readers never miss the file.
    """
    while not put_if_absent(path, content):
        try:
            if not _holds(path, content):
                keep_aside(root, path)
                replace(path, content)
        except FileNotFoundError:
            continue  # cleared up in this very moment
        return


def _holds(path: Path, content: bytes) -> bool:
    """Whether this is a file with just this content; a pipe or a folder is none."""
    try:
        return integrity.read_bytes(path) == content
    except DamagedFileError:
        return False


def _metadata(table: pa.Table) -> dict[bytes, bytes]:
    return dict(table.schema.metadata or {})


def _entries_digest(entries: Any) -> str:
    return hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()
