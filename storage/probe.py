"""Is a folder fit to be a store? Tried before a sweep, not found out in the middle of one.

A commit needs three things of a file system: a file created exclusively, a hard link that fails
when its name is taken, and a rename that replaces; and what one process wrote, all must see.
"""

from __future__ import annotations

import os
import re
import uuid
from pathlib import Path

from storage.durable import LandingError, sync_folder
from storage.layout import FOLDERS

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
"""How an address begins; a path swallows its second slash."""


def address_in(path: Path | str) -> str | None:
    """The address that was given where a path belongs, such as `s3://bucket/x`; None for a path."""
    if not _SCHEME.match(str(path)):
        return None
    slashes = ":///" if str(path).lower().startswith("file:") else "://"  # no machine is named
    return re.sub(":/+", slashes, str(path), count=1)


def check_location(store: Path | str) -> None:
    """Raises LandingError for an address or a file where a folder is needed; it may be absent."""
    if address := address_in(store):
        raise LandingError(
            f"{address}: a store is a folder, since a result is put in place by a hard link, which "
            "object stores lack; use a folder that all machines share, and copy it afterwards"
        )
    for folder in (Path(store), *Path(store).parents):
        if folder.is_file():
            raise LandingError(f"{store} cannot be a store: {folder} is a file, not a folder")


def check_store(store: Path | str) -> None:
    """Raises LandingError unless a store is there."""
    check_location(store)
    root = Path(store)
    if not root.is_dir():
        raise LandingError(f"{store}: there is no store here; a launch makes one")
    if not any((root / folder).is_dir() for folder in FOLDERS):
        raise LandingError(f"{store} is a folder but no store: it has none of {', '.join(FOLDERS)}")


def check_folder(root: Path) -> Path:
    """Create, link, replace and read back in `root`, which is made if it is not there.

    Returns:
        A file that other machines must be able to read; its name is its content. The caller
        removes it.

    Raises:
        LandingError: the folder is not fit for a store; the text says which step failed.
    """
    check_location(root)
    token = uuid.uuid4().hex
    folder = root / ".probe"
    first, second = folder / f"{token}.first", folder / f"{token}.second"
    target = folder / token
    step = "create a file"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _create(first, token)
        _create(second, token)
        step = "hard-link a file"
        os.link(first, target)
        step = "refuse a hard link over a file that is there"
        if not _refuses_link(second, target):
            raise LandingError(f"{root} is not fit for a store: it does not {step}")
        step = "replace a file by a rename"
        second.replace(target)
        step = "make a folder durable"
        sync_folder(folder)
        step = "read back what was written"
        if target.read_text() != token:
            raise LandingError(f"{root} is not fit for a store: it does not {step}")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise LandingError(f"{root} is not fit for a store: cannot {step} ({reason})") from error
    finally:
        for path in (first, second):
            _remove(path)
    return target


def is_visible(target: Path) -> bool:
    """Whether this machine reads what `check_folder` wrote on another one."""
    try:
        return target.read_text() == target.name
    except OSError:
        return False


def _create(path: Path, content: str) -> None:
    with path.open("x") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _refuses_link(source: Path, target: Path) -> bool:
    try:
        os.link(source, target)
    except FileExistsError:
        return True
    return False


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return
