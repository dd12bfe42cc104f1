"""Several stores → one: the union of their results by key, conflicts reported and never resolved.

A result that is here stays; the same key with other numbers from elsewhere is a fact about the
experiment (another machine, library or bug) that somebody has to look at. An export is the same
union into an empty folder, with a manifest of digests.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from storage import integrity
from storage.attempt import Attempt
from storage.compaction import compact
from storage.durable import replace
from storage.landing import land_attempt
from storage.layout import FOLDERS, PICKS, STUDIES, files_in, study_path
from storage.probe import check_location
from storage.reading import Attempts, Damage, Reader, whole_rows
from storage.records import RECORD_KEY
from storage.schema import CURVES, SCALARS, Outcome, picks_schema, planned_schema

MANIFEST = "manifest.json"


class BundleError(Exception):
    """A store cannot be merged or exported; the text names the folder or file."""


@dataclass(frozen=True)
class Conflict:
    """One cell with two results.

    Args:
        key: of the cell.
        columns: curves in which they differ.
        origin: store of the result that was not taken.
    """

    key: str
    columns: tuple[str, ...]
    origin: Path


@dataclass
class Merge:
    """What a union did.

    Args:
        num_new: results that were not here before.
        num_same: results that were here with the same numbers.
        num_failures: failed attempts that came with them.
        conflicts: results that were here with other numbers.
        studies: names of the studies whose record came with them.
        damaged: files of the other stores that were not read.
    """

    num_new: int = 0
    num_same: int = 0
    num_failures: int = 0
    conflicts: list[Conflict] = field(default_factory=list)
    studies: list[str] = field(default_factory=list)
    damaged: list[Damage] = field(default_factory=list)


def merge(target: Path, others: Sequence[Path]) -> Merge:
    """Put all results of `others` into `target`, which may be empty.

    Raises:
        BundleError: one of `others` is no store, or a bundle that is not as it was exported.
        LandingError: `target` cannot be written.
    """
    for store in (target, *others):
        check_location(store)
    for other in others:
        if not any((other / folder).is_dir() for folder in FOLDERS):
            raise BundleError(f"{other} is no results store")
        check_manifest(other)
    done = Merge()
    for other in others:
        reader = Reader(other, read_only=True)
        for row in _rows(reader):
            _take(target, _attempt(row), other, done)
        _take_records(reader, target, done)
        done.damaged += reader.damaged
    compact(target)
    return done


def export(source: Path, target: Path) -> Merge:
    """Write the sound content of a store to a new folder, a store itself, with a manifest.

    Raises:
        BundleError: `target` is not empty, or `source` no store.
        LandingError: `target` cannot be written.
    """
    check_location(target)
    if target.exists() and any(target.iterdir()):
        raise BundleError(f"{target} is not empty")
    done = merge(target, [source])
    for path in files_in(target / STUDIES):
        record = json.loads(integrity.read(path).schema.metadata[RECORD_KEY])
        replace(target / f"{path.stem}.yaml", record["source_text"].encode())
    entries = {
        str(path.relative_to(target)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(target.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }
    replace(target / MANIFEST, json.dumps({"sha256": entries}, indent=1).encode())
    return done


def check_manifest(folder: Path) -> None:
    """Compare a bundle with its manifest; any other store passes. Raises BundleError."""
    path = folder / MANIFEST
    if not path.exists():
        return
    try:
        entries: dict[str, str] = json.loads(path.read_text())["sha256"]
        for name, digest in entries.items():
            file = folder / name
            if not file.resolve().is_relative_to(folder.resolve()):
                raise BundleError(f"{path}: {name} lies outside of the bundle")
            if not file.is_file():
                raise BundleError(f"{path}: {name} is missing")
            if hashlib.sha256(file.read_bytes()).hexdigest() != digest:
                raise BundleError(f"{file} is not as it was exported")
    except (ValueError, KeyError, AttributeError, TypeError, OSError) as error:
        raise BundleError(f"{path} cannot be read: {error}") from error


def _rows(reader: Reader) -> Iterator[dict[str, Any]]:
    """Every attempt of a store, segment by segment."""
    attempts = Attempts(reader)
    try:
        yield from _in_batches(attempts.landed)
        for opened in attempts.segments:
            yield from _in_batches(whole_rows(reader, opened))
    finally:
        attempts.close()


def _in_batches(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches(max_chunksize=100):
        yield from batch.to_pylist()


def _attempt(row: dict[str, Any]) -> Attempt:
    curves = {column.name: tuple(row[column.name] or ()) for column in CURVES}
    return Attempt(**{column.name: row[column.name] for column in SCALARS}, curves=curves)


def _take(target: Path, attempt: Attempt, origin: Path, done: Merge) -> None:
    landing = land_attempt(target, attempt)
    if not Outcome(attempt.outcome).is_result:
        done.num_failures += landing.is_new
    elif landing.is_new:
        done.num_new += 1
    elif landing.conflicts:
        done.conflicts.append(Conflict(attempt.key, landing.conflicts, origin))
    else:
        done.num_same += 1


def _take_records(reader: Reader, target: Path, done: Merge) -> None:
    """Studies that are new or were launched later, each with its picks."""
    for path in files_in(reader.root / STUDIES):
        theirs = reader.table(path, planned_schema())
        if theirs is None or _recorded_at(path) <= _recorded_at(study_path(target, path.stem)):
            continue
        picks = reader.root / PICKS / path.name
        if picks.exists() and reader.table(picks, picks_schema()) is not None:
            replace(target / PICKS / path.name, picks.read_bytes())
        replace(target / STUDIES / path.name, path.read_bytes())  # the mark of having both
        done.studies.append(path.stem)


def _recorded_at(path: Path) -> str:
    """ISO time of a study's record; empty, and so before all others, if there is none."""
    try:
        metadata = integrity.read(path).schema.metadata
        return str(json.loads(metadata[RECORD_KEY])["recorded_at"])
    except (FileNotFoundError, integrity.DamagedFileError, KeyError, ValueError):
        return ""
