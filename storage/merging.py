"""Several stores → one: the union of their results by key, conflicts kept and never resolved.

A result that is here stays; the same key with other numbers from elsewhere is a fact about the
experiment (another machine, library or bug) that somebody has to look at, so it is kept beside it.
Rows that cannot be true are refused one by one. An export is the same union into an empty folder,
with a manifest of digests.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from storage.attempt import Attempt
from storage.checking.content import KeyOf, problem_of
from storage.durable import LandingError
from storage.durable import replace as write_over
from storage.landing import has_result, keep_conflict, land_attempt
from storage.layout import FOLDERS, conflict_path
from storage.probe import check_location
from storage.reading import Attempts, Damage, Reader, whole_rows
from storage.records.conflicts import Conflict, KeptConflicts
from storage.records.decisions import take_decisions
from storage.records.merging import Refusal, StudyDifference, take_records
from storage.schema import CURVES, SCALARS, Outcome
from storage.segments.compaction import compact
from storage.store import Store

MANIFEST = "manifest.json"

ConfigProblem = Callable[[Mapping[str, Any], Mapping[str, int]], str | None]
"""(configuration, revisions) → what it says that no run has; None if it may stand."""


class BundleError(Exception):
    """A store cannot be merged or exported; the text names the folder or file."""


@dataclass
class Merge:
    """What a union did.

    Args:
        num_new: results that were not here before.
        num_same: results that were here with the same numbers.
        num_failures: failed attempts that came with them.
        conflicts: results that were here with other numbers; theirs are kept beside ours.
        refused: rows and records that cannot be true.
        studies: names of the studies whose records came with them.
        differences: studies that are here and ask for something else there; ours stay.
        damaged: files of the stores that were not read.
    """

    num_new: int = 0
    num_same: int = 0
    num_failures: int = 0
    conflicts: list[Conflict] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    studies: list[str] = field(default_factory=list)
    differences: list[StudyDifference] = field(default_factory=list)
    damaged: list[Damage] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was left out and nothing contradicts what was here."""
        return not (self.conflicts or self.refused or self.damaged)


def merge(
    target: Path,
    others: Sequence[Path],
    key_of: KeyOf | None = None,
    *,
    config_problem: ConfigProblem | None = None,
    is_own: bool = False,
) -> Merge:
    """Put all results of `others` into `target`, which may be empty.

    Args:
        target: the store that grows.
        others: stores or bundles, which stay as they are.
        key_of: computes a cell's key from its configuration, by which forged rows are found.
        config_problem: knows the fields of a run, which this package does not.
        is_own: take over which code was accepted as well, which is a claim of the other store.

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
    lost: dict[tuple[str, str], Path] = {}
    for other in others:
        reader = Reader(other, read_only=True)
        _Taking(target, other, key_of, config_problem, done, lost).take(reader)
        take_decisions(reader, target, is_own=is_own)
        records = take_records(reader, target)
        done.studies += records.studies
        done.differences += records.differences
        done.refused += records.refused
        done.damaged += reader.damaged
    done.damaged += compact(target).damaged
    done.conflicts = _conflicts(target, lost)
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
    done = merge(target, [source], is_own=True)
    store = Store(target, read_only=True)
    for name in store.studies():
        if record := store.study(name):
            write_over(target / f"{name}.yaml", record.source_text.encode())
    entries = {
        str(path.relative_to(target)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(target.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }
    write_over(target / MANIFEST, json.dumps({"sha256": entries}, indent=1).encode())
    return done


def check_manifest(folder: Path) -> None:
    """Compare a bundle with its manifest; any other store passes. Raises BundleError."""
    path = folder / MANIFEST
    if not os.path.lexists(path):
        return
    if not path.is_file():  # a pipe would be waited for without end
        raise BundleError(f"{path} cannot be read: it is no regular file")
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


@dataclass
class _Taking:
    """Takes over the attempts of one store.

    Args:
        target: the store that grows.
        origin: the store that is read.
        key_of: computes a cell's key from its configuration.
        config_problem: tells what a configuration says that no run has.
        done: the account.
        lost: (key, attempt) of each result that contradicts one of ours → its store.
    """

    target: Path
    origin: Path
    key_of: KeyOf | None
    config_problem: ConfigProblem | None
    done: Merge
    lost: dict[tuple[str, str], Path]

    def take(self, reader: Reader) -> None:
        """Results and failures first, then the contradictions that the other store keeps."""
        for attempt in self._sound(_rows(reader)):
            self._land(attempt)
        for attempt in self._sound(_in_batches(KeptConflicts(reader).table())):
            if has_result(self.target, attempt.key):
                self._land(attempt)
            else:  # what it contradicts did not come, and it must not stand in its place
                keep_conflict(self.target, attempt)
                self.lost[attempt.key, attempt.attempt] = self.origin

    def _sound(self, rows: Iterator[dict[str, Any]]) -> Iterator[Attempt]:
        for row in rows:
            if reason := self._problem(row):
                self.done.refused.append(Refusal(str(row["key"]), reason, self.origin))
            else:
                yield _attempt(row)

    def _problem(self, row: Mapping[str, Any]) -> str | None:
        if reason := _name_problem(row) or problem_of(row, self.key_of):
            return reason
        if self.config_problem is None:
            return None
        return self.config_problem(json.loads(row["config"]), json.loads(row["revisions"]))

    def _land(self, attempt: Attempt) -> None:
        landing = land_attempt(self.target, attempt)
        if not Outcome(attempt.outcome).is_result:
            self.done.num_failures += landing.is_new
        elif landing.is_new:
            self.done.num_new += 1
        elif landing.conflicts:
            self.lost[attempt.key, attempt.attempt] = self.origin
        else:
            self.done.num_same += 1


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


def _name_problem(row: Mapping[str, Any]) -> str | None:
    """A row whose key or attempt cannot name a file."""
    try:
        conflict_path(Path(), row["key"] or "", row["attempt"] or "")
    except LandingError as error:
        return str(error)
    return None


def _attempt(row: Mapping[str, Any]) -> Attempt:
    curves = {column.name: tuple(row[column.name] or ()) for column in CURVES}
    scalars = {column.name: row[column.name] for column in SCALARS}
    return Attempt(**{**scalars, "edition": row["edition"] or 0}, curves=curves)


def _conflicts(target: Path, lost: Mapping[tuple[str, str], Path]) -> list[Conflict]:
    """The contradictions that a merge met, beside what stands."""
    if not lost:
        return []
    kept = Store(target, read_only=True).conflicts()
    origins = ((conflict, lost.get((conflict.key, conflict.kept.attempt))) for conflict in kept)
    return [replace(conflict, origin=origin) for conflict, origin in origins if origin]
