"""Files that are there whole or not at all, and stay there.

Content is written under a hidden temporary name in the target's folder, fsynced, and then put in
place by one atomic step: a hard link, which fails if the name is taken, or a rename, which replaces
what was there. Knows paths and bytes only.
"""

from __future__ import annotations

import errno
import os
import time
import uuid
from contextlib import suppress
from pathlib import Path

_TEMPORARY = ".tmp"
_ABANDONED_SECONDS = 3600.0
_PASSING = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ESTALE)


class LandingError(Exception):
    """A file cannot be written; the text names the path and the reason."""


def _link_refused(path: Path, error: OSError) -> str:
    """A full disk, or one without a free inode, says nothing about links."""
    if error.errno in _PASSING:
        return f"cannot put {path} in place: {error.strerror}"
    return (
        f"{path.parent}: a result is put in place by a hard link, which this file system "
        f"refuses ({error.strerror}); use a store on a local or NFS file system"
    )


def put_if_absent(path: Path, content: bytes) -> bool:
    """Create `path` with `content`. False if the name is taken. Raises LandingError."""
    if path.exists():
        return False
    aside = _write_aside(path, content)
    try:
        os.link(aside, path)
    except FileExistsError:
        return False
    except FileNotFoundError:  # swept away, since a clock was set forward
        return put_if_absent(path, content)
    except OSError as error:
        raise LandingError(_link_refused(path, error)) from error
    finally:
        _forget(aside)
    sync_folder(path.parent)
    return True


def replace(path: Path, content: bytes) -> None:
    """Give `path` new content in one step. Raises LandingError."""
    aside = _write_aside(path, content)
    try:
        aside.replace(path)
    except OSError as error:
        _forget(aside)
        raise LandingError(f"cannot replace {path}: {error.strerror}") from error
    sync_folder(path.parent)


def remove(path: Path) -> None:
    """Remove a file, which may be gone already. Raises LandingError."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise LandingError(f"cannot remove {path}: {error.strerror}") from error


def make_folder(folder: Path) -> None:
    """Create a folder that may be there already. Raises LandingError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LandingError(f"cannot create {folder}: {error.strerror}") from error


def sync_folder(folder: Path) -> None:
    """Make links, renames and removals in `folder` durable. Raises LandingError."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise LandingError(f"cannot make {folder} durable: {error.strerror}") from error


def sweep_temporaries(folder: Path) -> None:
    """Remove temporaries that a killed writer left over an hour ago."""
    for path in folder.glob(f".*{_TEMPORARY}"):
        with suppress(FileNotFoundError):  # its writer is alive after all
            if time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                _forget(path)


def _write_aside(path: Path, content: bytes) -> Path:
    """Write `content`, fsynced, under a hidden temporary name beside `path`."""
    aside = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}{_TEMPORARY}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        _forget(aside)
        raise LandingError(
            f"cannot write {len(content)} bytes to {path}: {error.strerror}"
        ) from error
    return aside


def _forget(aside: Path) -> None:
    """Remove a temporary. Where that fails it stays hidden, until it is swept."""
    with suppress(OSError):
        aside.unlink(missing_ok=True)
