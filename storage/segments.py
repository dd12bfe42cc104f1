"""Compacted results: pairs of files, and the pointer that says which pairs are live.

A segment is two self-verifying files named by their digests: the attempts (one row each, with the
last and best figures) and their curves, in the same order. Questions about cells read the first
only. `CURRENT`, replaced by an atomic rename, names the live segments; nothing else decides. A
segment never changes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from storage import integrity
from storage.durable import put_if_absent, replace
from storage.integrity import DamagedFileError
from storage.layout import KEY, SEGMENTS
from storage.schema import Outcome

POINTER = "CURRENT"
ATTEMPTS_SUFFIX, CURVES_SUFFIX = ".attempts.parquet", ".curves.parquet"
CURVES_KEY = b"orchestrator.curves"
"""Metadata of an attempts file: the digest of its curves, so that a lost pointer can be rebuilt."""


@dataclass(frozen=True)
class Segment:
    """One segment: the digests that name its two files, and its number of attempts."""

    attempts: str
    curves: str
    num_rows: int

    def attempts_path(self, root: Path) -> Path:
        return root / SEGMENTS / f"{self.attempts}{ATTEMPTS_SUFFIX}"

    def curves_path(self, root: Path) -> Path:
        return root / SEGMENTS / f"{self.curves}{CURVES_SUFFIX}"

    def paths(self, root: Path) -> tuple[Path, Path]:
        return self.attempts_path(root), self.curves_path(root)


def pointer_path(root: Path) -> Path:
    """Where `CURRENT` lies."""
    return root / SEGMENTS / POINTER


def read_current(root: Path) -> tuple[Segment, ...]:
    """The live segments, oldest first; none before the first compaction.

    Raises DamagedFileError if the pointer is not what was written.
    """
    try:
        record = json.loads(pointer_path(root).read_bytes())
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
    """Every sound segment in the folder, the largest first: what is live if the pointer is lost."""
    found = []
    for path in (root / SEGMENTS).glob(f"*{ATTEMPTS_SUFFIX}"):
        try:
            table = integrity.read(path, ("key",))
        except (DamagedFileError, FileNotFoundError):
            continue
        curves = (table.schema.metadata or {}).get(CURVES_KEY, b"").decode("ascii", "replace")
        digest = path.name.removesuffix(ATTEMPTS_SUFFIX)
        if KEY.fullmatch(curves) and KEY.fullmatch(digest):
            found.append(Segment(digest, curves, len(table)))
    return tuple(sorted(found, key=lambda segment: (-segment.num_rows, segment.attempts)))


def write_segment(root: Path, attempts: pa.Table, curves: pa.Table) -> Segment:
    """Write both files of a segment; it is not live before `switch_current`."""
    curve_bytes = integrity.encode(curves)
    curves_digest = integrity.stated_digest(curve_bytes)
    metadata = {**(attempts.schema.metadata or {}), CURVES_KEY: curves_digest.encode()}
    attempt_bytes = integrity.encode(attempts.replace_schema_metadata(metadata))
    segment = Segment(integrity.stated_digest(attempt_bytes), curves_digest, len(attempts))
    put_if_absent(segment.curves_path(root), curve_bytes)
    put_if_absent(segment.attempts_path(root), attempt_bytes)
    return segment


def find_result(root: Path, key: str) -> tuple[Path, dict[str, Any]] | None:
    """The compacted result of a cell: its file and its curves. None if there is none to trust.

    Only keys are read unless one matches; a match counts once its file is verified.
    """
    try:
        for segment in read_current(root):
            if row := _find_in(root, segment, key):
                return segment.attempts_path(root), row
    except (DamagedFileError, FileNotFoundError):
        pass  # the reader reports it; the attempt lands as a file of its own
    return None


def _find_in(root: Path, segment: Segment, key: str) -> dict[str, Any] | None:
    path = segment.attempts_path(root)
    if key not in _keys(path):
        return None
    rows = integrity.read(path, ("key", "outcome")).to_pylist()
    for index, row in enumerate(rows):
        if row["key"] == key and Outcome(row["outcome"]).is_result:
            curves = integrity.read(segment.curves_path(root))
            return dict(curves.slice(index, 1).to_pylist()[0])
    return None


@lru_cache(maxsize=256)
def _keys(path: Path) -> frozenset[str]:
    """Keys in a segment, which never changes: a worker that lands many cells reads them once."""
    return frozenset(integrity.peek(path, ("key",))["key"].to_pylist())


def _entries_digest(entries: Any) -> str:
    return hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()
