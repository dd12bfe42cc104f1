"""Where things lie in a store: folders, file names, and which names are allowed.

Names that come from a study or a caller pass through here, so nothing escapes the store. Knows no
rows.
"""

from __future__ import annotations

import os
import re
import uuid
from pathlib import Path

from storage.durable import LandingError, make_folder

ATTEMPTS = "attempts"
SEGMENTS = "segments"
STUDIES = "studies"
PICKS = "picks"
DECISIONS = "decisions"
CONFLICTS = "conflicts"
QUARANTINE = "quarantine"
FOLDERS = (ATTEMPTS, SEGMENTS, STUDIES, PICKS, CONFLICTS, DECISIONS)
"""A folder that has one of these is a store."""

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
KEY = re.compile(r"[0-9a-f]{64}")
MOST_VERSIONS = 1_000_000
_RECORD = re.compile(rf"({NAME.pattern})(?:\.([1-9][0-9]{{0,5}}))?\.parquet")


def result_path(root: Path, key: str, edition: int = 0) -> Path:
    """Where the one result of a cell's edition lands. Raises LandingError."""
    number = f".{edition}" if edition else ""
    return root / ATTEMPTS / f"{_checked(KEY, key, 'a cell key')}{number}.parquet"


def failure_path(root: Path, key: str, attempt: str) -> Path:
    """Where a failed attempt lands. Raises LandingError."""
    key = _checked(KEY, key, "a cell key")
    return root / ATTEMPTS / f"{key}.{_checked(NAME, attempt, 'an attempt id')}.failed.parquet"


def conflict_path(root: Path, key: str, attempt: str) -> Path:
    """Where a result lies that contradicts the one of its cell. Raises LandingError."""
    key = _checked(KEY, key, "a cell key")
    return root / CONFLICTS / f"{key}.{_checked(NAME, attempt, 'an attempt id')}.parquet"


def study_path(root: Path, study: str, version: int = 0) -> Path:
    """Where a version of a study's record lies. Raises LandingError."""
    return root / STUDIES / _record_name(study, version)


def picks_path(root: Path, study: str, version: int = 0) -> Path:
    """Where a version of a study's picks lies. Raises LandingError."""
    return root / PICKS / _record_name(study, version)


def record_of(path: Path) -> tuple[str, int] | None:
    """Study and version in the name of a record's file; None if it is no such name."""
    found = _RECORD.fullmatch(path.name)
    return (found[1], int(found[2] or 0)) if found else None


def files_in(folder: Path) -> list[Path]:
    """The visible files of a folder, sorted; none if there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(
        path for path in folder.iterdir() if not path.name.startswith(".") and path.is_file()
    )


def quarantine(root: Path, path: Path) -> Path | None:
    """Set a damaged file aside. Returns its new place, None if the store cannot be written."""
    target = root / QUARANTINE / f"{path.name}.{uuid.uuid4().hex[:8]}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    except OSError:
        return None
    return target


def _record_name(study: str, version: int) -> str:
    study = _checked(NAME, study, "a study name")
    if not 0 <= version < MOST_VERSIONS:
        raise LandingError(f"the record of {study} has no version {version}")
    return f"{study}.{version}.parquet" if version else f"{study}.parquet"


def keep_aside(root: Path, path: Path) -> Path:
    """Give a damaged file a second name in the quarantine, before it is replaced.

    Raises LandingError.
    """
    target = root / QUARANTINE / f"{path.name}.{uuid.uuid4().hex[:8]}"
    make_folder(target.parent)
    try:
        os.link(path, target)
    except OSError as error:
        raise LandingError(f"cannot set {path} aside: {error.strerror}") from error
    return target


def _checked(pattern: re.Pattern[str], name: str, what: str) -> str:
    if not pattern.fullmatch(name):
        raise LandingError(f"not {what}: {name!r}")
    return name
