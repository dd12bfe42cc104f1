"""Decoded once: arrays of a data set as `.npy` files, memory mapped by every later run.

The cache lies in `.arrays` below the data root, or where `ORCHESTRATOR_CACHE` says, or in the
user's cache folder if the data root is read-only. An entry is keyed by place, name, size and times
of the source files, made under a lock and put in place by one rename. `SHA256SUMS` holds the
digests of its files; an entry that does not match them is decoded again. Knows no file format.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from filelock import FileLock

from trainables.datasets import DatasetError, ImageArrays
from trainables.datasets.file_state import state_of

DIGESTS = "SHA256SUMS"
LAYOUT_VERSION = 2
"""Raised when the same files are decoded to other arrays."""

ARRAY_FILES = ("train_images.npy", "train_labels.npy", "test_images.npy", "test_labels.npy")


def cached_arrays(
    name: str, sources: Sequence[Path], data_root: Path, decode: Callable[[], ImageArrays]
) -> ImageArrays:
    """The arrays of a data set, decoded by `decode` unless a former run did it from `sources`.

    Raises:
        DatasetError: whatever `decode` raises, or the cache cannot be written.
    """
    folder = cache_root(data_root) / f"{name}-{_fingerprint(sources)}"
    try:
        if not _is_intact(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(folder.with_name(f".{folder.name}.lock")):
                if not _is_intact(folder):
                    _put(folder, decode())
        # Copy on write, as torch wants writable memory; nothing writes to it.
        return ImageArrays(*(np.load(folder / file, mmap_mode="c") for file in ARRAY_FILES))
    except OSError as error:
        raise DatasetError(
            f"the decoded images of {name} cannot be kept in {folder.parent} ({error}); "
            "ORCHESTRATOR_CACHE names another folder"
        ) from error


def _is_intact(folder: Path) -> bool:
    """Whether every array is there with the digest it was written with."""
    try:
        recorded = (folder / DIGESTS).read_text()
        return recorded == _digests(folder)
    except OSError:
        return False


def _put(folder: Path, arrays: ImageArrays) -> None:
    """Write an entry aside and rename it into place, replacing a damaged one."""
    aside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    aside.mkdir()
    try:
        kept = (arrays.train_images, arrays.train_labels, arrays.test_images, arrays.test_labels)
        for file, array in zip(ARRAY_FILES, kept, strict=True):
            np.save(aside / file, np.ascontiguousarray(array))
        (aside / DIGESTS).write_text(_digests(aside))
        # Readers of the damaged entry keep what they have mapped.
        shutil.rmtree(folder, ignore_errors=True)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _digests(folder: Path) -> str:
    """One line per array, as `sha256sum --check` reads them."""
    lines = []
    for file in ARRAY_FILES:
        with (folder / file).open("rb") as content:
            lines.append(f"{hashlib.file_digest(content, 'sha256').hexdigest()}  {file}\n")
    return "".join(lines)


def _fingerprint(sources: Sequence[Path]) -> str:
    facts = [_facts(path) for path in sorted(sources)]
    return hashlib.sha256(repr((LAYOUT_VERSION, facts)).encode()).hexdigest()[:16]


def _facts(path: Path) -> tuple[str, int, int, int]:
    """Without the inode's number, which some network file systems draw anew at each mount."""
    state = state_of(path)
    return (str(path.resolve()), state.size, state.mtime_ns, state.ctime_ns)


def cache_root(data_root: Path) -> Path:
    given = os.environ.get("ORCHESTRATOR_CACHE")
    if given:
        return Path(given) / "arrays"
    if _is_writable(data_root):
        return data_root / ".arrays"
    return Path.home() / ".cache" / "orchestrator" / "arrays"


def _is_writable(folder: Path) -> bool:
    """Also False if the mode forbids it but the user is root, whom nothing else stops."""
    anyone = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
    return os.access(folder, os.W_OK) and bool(folder.stat().st_mode & anyone)
