"""The only writer of results: one file per result, whole or not at all, never over another.

A result is put in place only if its name is free, so a cell has at most one, whoever writes it, and
a zombie's late commit is harmless. Studies and picks are recorded as numbered versions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from storage import integrity
from storage.attempt import Attempt, PickRecord, StudyRecord
from storage.durable import LandingError, put_if_absent
from storage.history import put_next
from storage.layout import (
    conflict_path,
    failure_path,
    picks_path,
    quarantine,
    result_path,
    study_path,
)
from storage.records import are_same_picks, is_same_record, picks_table, study_table
from storage.schema import (
    CURVES,
    METRICS,
    SCALARS,
    SCHEMA_VERSION,
    VERSION_KEY,
    Outcome,
    attempt_schema,
)
from storage.segments import find_result

__all__ = [
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
    """

    path: Path
    is_new: bool
    conflicts: tuple[str, ...] = ()


def land_attempt(root: Path, attempt: Attempt) -> Landing:
    """Commit an attempt. A sound result that is there stays; a damaged one is set aside first.

    Raises LandingError if it cannot be written.
    """
    root = Path(root)
    if not Outcome(attempt.outcome).is_result:
        path = failure_path(root, attempt.key, attempt.attempt)
        return Landing(path, put_if_absent(path, integrity.encode(attempt_table(attempt))))
    path = result_path(root, attempt.key)
    if compacted := find_result(root, attempt.key):
        return _beside(root, compacted[0], compacted[1], attempt)
    content = integrity.encode(attempt_table(attempt))
    while not put_if_absent(path, content):
        try:
            landed = integrity.read(path).to_pylist()[0]
        except integrity.DamagedFileError as error:
            if quarantine(root, path) is None and path.exists():
                raise LandingError(f"{path} is damaged and cannot be set aside") from error
        except FileNotFoundError:
            continue  # compacted or set aside in this very moment
        else:
            return _beside(root, path, landed, attempt)
    return Landing(path, is_new=True)


def keep_conflict(root: Path, attempt: Attempt) -> bool:
    """Store a result that contradicts the one of its cell. False if it is there already.

    Raises LandingError if it cannot be written.
    """
    path = conflict_path(Path(root), attempt.key, attempt.attempt)
    return put_if_absent(path, integrity.encode(attempt_table(attempt)))


def has_result(root: Path, key: str) -> bool:
    """Whether a cell's result seems to be there; a damaged one is found out when it is read."""
    return result_path(root, key).exists() or find_result(root, key) is not None


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
    row = {column.name: getattr(attempt, column.name) for column in SCALARS}
    curves = {column.name: list(attempt.curves.get(column.name, ())) for column in CURVES}
    schema = attempt_schema().with_metadata({VERSION_KEY: str(SCHEMA_VERSION)})
    return pa.Table.from_pylist([{**row, **curves}], schema=schema)


def _beside(root: Path, path: Path, landed: Mapping[str, Any], attempt: Attempt) -> Landing:
    """What becomes of a second result: nothing if it has the same numbers, else it is kept."""
    conflicts = _conflicts(landed, attempt)
    if conflicts:
        keep_conflict(root, attempt)
    return Landing(path, is_new=False, conflicts=conflicts)


def _conflicts(landed: Mapping[str, Any], attempt: Attempt) -> tuple[str, ...]:
    """Metrics in which `attempt` differs from a landed row, bit for bit (NaN equals NaN)."""
    ours = attempt_table(attempt).to_pylist()[0]
    return tuple(name for name in METRICS if repr(landed.get(name)) != repr(ours[name]))
