"""The only writer of results: one file per result, whole or not at all, never over another.

A result is put in place only if its name is free, so an edition of a cell has at most one, whoever
writes it, and a zombie's late commit is harmless. A result that answers something else than the one
that is there (edited code, other data) is the next edition: nothing is lost and nothing replaced.
Nothing lands that contradicts itself. Studies and picks are recorded as numbered versions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as changed
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from storage import integrity
from storage.attempt import Attempt, PickRecord, StudyRecord
from storage.checking.content import ContentError, as_row, check_attempt, problem_of
from storage.durable import LandingError, put_if_absent
from storage.layout import (
    conflict_path,
    failure_path,
    picks_path,
    quarantine,
    result_path,
    study_path,
)
from storage.records.tables import are_same_picks, is_same_record, picks_table, study_table
from storage.records.versions import put_next
from storage.schema import (
    METRICS,
    SCHEMA_VERSION,
    VERSION_KEY,
    Outcome,
    attempt_schema,
)
from storage.segments.files import find_result
from storage.standing.fingerprint import is_same_fingerprint

__all__ = [
    "ContentError",
    "Landing",
    "LandingError",
    "has_result",
    "keep_conflict",
    "land_attempt",
    "land_picks",
    "land_study",
]


@dataclass(frozen=True)
class Landing:
    """What became of an attempt.

    Args:
        path: the file that holds the cell's result (or this failed attempt).
        is_new: whether this attempt put it there.
        conflicts: curve columns in which this attempt differs from the result already there.
        edition: of that result.
    """

    path: Path
    is_new: bool
    conflicts: tuple[str, ...] = ()
    edition: int = 0


def land_attempt(root: Path, attempt: Attempt) -> Landing:
    """Commit an attempt. A sound result that is there stays; a damaged one is set aside first.

    If its edition is taken by a result with another fingerprint, it lands as the next free one.

    Raises:
        ContentError: the attempt contradicts itself.
        LandingError: it cannot be written.
    """
    root = Path(root)
    result_path(root, attempt.key)  # a key that is none is told before its content
    check_attempt(attempt)
    if not Outcome(attempt.outcome).is_result:
        path = failure_path(root, attempt.key, attempt.attempt)
        return Landing(path, put_if_absent(path, integrity.encode(attempt_table(attempt))))
    while (landing := _land_edition(root, attempt)) is None:
        attempt = changed(attempt, edition=attempt.edition + 1)
    return landing


def _land_edition(root: Path, attempt: Attempt) -> Landing | None:
    """Commit a result as the edition that it says; None if that is one with another fingerprint."""
    if compacted := find_result(root, attempt.key, attempt.edition):
        return _already_there(root, *compacted, attempt)
    path = result_path(root, attempt.key, attempt.edition)
    content = integrity.encode(attempt_table(attempt))
    while not put_if_absent(path, content):
        try:
            landed = _sound_row(path)
        except integrity.DamagedFileError as error:
            if quarantine(root, path) is None and path.exists():
                raise LandingError(f"{path} is damaged and cannot be set aside") from error
        except FileNotFoundError:
            continue  # compacted or set aside in this very moment
        else:
            return _already_there(root, path, landed, attempt)
    return Landing(path, is_new=True, edition=attempt.edition)


def _sound_row(path: Path) -> dict[str, Any]:
    """The attempt in a file. Raises DamagedFileError also for one that contradicts itself."""
    rows = integrity.read(path).to_pylist()
    if len(rows) != 1 or problem_of(rows[0]):
        raise integrity.DamagedFileError("it holds no attempt that can be true")
    return dict(rows[0])


def _already_there(
    root: Path, path: Path, landed: Mapping[str, Any], attempt: Attempt
) -> Landing | None:
    if not is_same_fingerprint(landed, as_row(attempt)):
        return None
    if conflicts := _conflicts(landed, attempt):
        keep_conflict(root, attempt)
    return Landing(path, False, conflicts, attempt.edition)


def keep_conflict(root: Path, attempt: Attempt) -> bool:
    """Store a result that contradicts the one of its cell. False if it is there already.

    Raises LandingError if it cannot be written.
    """
    path = conflict_path(Path(root), attempt.key, attempt.attempt)
    return put_if_absent(path, integrity.encode(attempt_table(attempt)))


def has_result(root: Path, key: str, edition: int = 0) -> bool:
    """Whether a cell's result seems to be there; a damaged one is found out when it is read."""
    return result_path(root, key, edition).exists() or find_result(root, key, edition) is not None


def land_study(root: Path, record: StudyRecord) -> Path:
    """Record a study and all its cells as its next version, unless its newest says the same."""
    return put_next(
        partial(study_path, Path(root), record.name), study_table(record), is_same_record
    )


def land_picks(root: Path, study: str, picks: Sequence[PickRecord]) -> Path:
    """Record a study's picks as their next version, unless the newest are the same."""
    return put_next(partial(picks_path, Path(root), study), picks_table(picks), are_same_picks)


def attempt_table(attempt: Attempt) -> pa.Table:
    """One row in the schema of attempts."""
    schema = attempt_schema().with_metadata({VERSION_KEY: str(SCHEMA_VERSION)})
    return pa.Table.from_pylist([as_row(attempt)], schema=schema)


def _conflicts(landed: Mapping[str, Any], attempt: Attempt) -> tuple[str, ...]:
    """Metrics in which `attempt` differs from a landed row, bit for bit; lost ones do not count."""
    if not landed.get("epoch"):
        return ()
    ours = attempt_table(attempt).to_pylist()[0]
    return tuple(name for name in METRICS if repr(landed.get(name)) != repr(ours[name]))
