"""The only writer of results: one file per result, whole or not at all, never over another.

A file is written under a hidden temporary name in its folder, fsynced, and put in place by a hard
link, which fails if the name is taken: so a cell has at most one result, whoever writes it, and a
zombie's late commit is harmless. Study and pick records may be replaced, by an atomic rename.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from storage import integrity
from storage.attempt import Attempt, PickRecord, StudyRecord
from storage.schema import (
    CURVES,
    SCALARS,
    SCHEMA_VERSION,
    Outcome,
    attempt_schema,
    picks_schema,
    planned_schema,
)

ATTEMPTS, SEGMENTS, STUDIES, PICKS, QUARANTINE = (
    "attempts",
    "segments",
    "studies",
    "picks",
    "quarantine",
)
"""Folders of a store."""

RECORD_KEY = b"orchestrator.record"
VERSION_KEY = b"orchestrator.schema_version"
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
_KEY = re.compile(r"[0-9a-f]{64}")
_UNCOMPARED = {"epoch_seconds"}


class LandingError(Exception):
    """A result cannot be written; the text names the path and the reason."""


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
    """Commit an attempt. A result that is there already stays; a damaged one is set aside first."""
    path = attempt_path(root, attempt)
    content = integrity.encode(attempt_table(attempt))
    for _ in range(2):
        if _put_if_absent(path, content):
            return Landing(path, is_new=True)
        try:
            return Landing(path, is_new=False, conflicts=_conflicts(path, attempt))
        except integrity.DamagedFileError:
            quarantine(root, path)
        except FileNotFoundError:
            pass  # compacted or set aside in this very moment
    return Landing(path, is_new=_put_if_absent(path, content))


def land_study(root: Path, record: StudyRecord) -> Path:
    """Record a study and all its cells, replacing its former record."""
    facts = {key: value for key, value in vars(record).items() if key not in ("planned", "tables")}
    facts["recorded_at"] = record.recorded_at.isoformat()
    facts["tables"] = {name: spec.model_dump(mode="json") for name, spec in record.tables.items()}
    rows = [{**vars(cell), "axes": list(cell.axes.items())} for cell in record.planned]
    return _replace(root / STUDIES / _file_name(record.name), rows, planned_schema(), facts)


def land_picks(root: Path, study: str, picks: Sequence[PickRecord]) -> Path:
    """Record a study's picks, replacing its former ones."""
    rows = [{**asdict(pick), "group": list(pick.group.items())} for pick in picks]
    return _replace(root / PICKS / _file_name(study), rows, picks_schema(), {})


def attempt_path(root: Path, attempt: Attempt) -> Path:
    """`<key>.parquet` for a result, `<key>.<attempt>.failed.parquet` for a failed attempt."""
    if not _KEY.fullmatch(attempt.key) or not NAME.fullmatch(attempt.attempt):
        raise LandingError(
            f"not a cell key and an attempt id: {attempt.key!r}, {attempt.attempt!r}"
        )
    is_result = Outcome(attempt.outcome).is_result
    name = attempt.key if is_result else f"{attempt.key}.{attempt.attempt}.failed"
    return root / ATTEMPTS / f"{name}.parquet"


def attempt_table(attempt: Attempt) -> pa.Table:
    """One row in the schema of attempts."""
    row = {column.name: getattr(attempt, column.name) for column in SCALARS}
    curves = {column.name: list(attempt.curves.get(column.name, ())) for column in CURVES}
    schema = attempt_schema().with_metadata({VERSION_KEY: str(SCHEMA_VERSION)})
    return pa.Table.from_pylist([{**row, **curves}], schema=schema)


def quarantine(root: Path, path: Path) -> Path | None:
    """Set a damaged file aside. Returns its new place, None if the store cannot be written."""
    target = root / QUARANTINE / f"{path.name}.{uuid.uuid4().hex[:8]}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    except OSError:
        return None
    return target


def write_aside(path: Path, content: bytes) -> Path:
    """Write `content`, fsynced, under a hidden temporary name beside `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}.tmp"
    try:
        with aside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise LandingError(f"cannot write {len(content)} bytes to {path}: {error}") from error
    return aside


def sync_folder(folder: Path) -> None:
    """Make renames and links in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _put_if_absent(path: Path, content: bytes) -> bool:
    if path.exists():
        return False
    aside = write_aside(path, content)
    try:
        os.link(aside, path)
    except FileExistsError:
        return False
    except OSError as error:
        raise LandingError(f"{path.parent} does not allow hard links: {error}") from error
    finally:
        aside.unlink(missing_ok=True)
    sync_folder(path.parent)
    return True


def _replace(
    path: Path, rows: list[dict[str, Any]], schema: pa.Schema, facts: Mapping[str, Any]
) -> Path:
    metadata = {RECORD_KEY: json.dumps(facts), VERSION_KEY: str(SCHEMA_VERSION)}
    table = pa.Table.from_pylist(rows, schema=schema.with_metadata(metadata))
    write_aside(path, integrity.encode(table)).replace(path)
    sync_folder(path.parent)
    return path


def _conflicts(path: Path, attempt: Attempt) -> tuple[str, ...]:
    landed = integrity.read(path).to_pylist()[0]
    return tuple(
        column.name
        for column in CURVES
        if column.name not in _UNCOMPARED
        and landed.get(column.name) != list(attempt.curves.get(column.name, ()))
    )


def _file_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise LandingError(f"not a study name: {name!r}")
    return f"{name}.parquet"
