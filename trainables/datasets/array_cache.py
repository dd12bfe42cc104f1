"""Decoded once: arrays of a data set as `.npy` files, memory mapped by every later run.

The cache lies beside the data, or where `ORCHESTRATOR_CACHE` says, or in the user's cache folder if
the data root cannot be written. It is keyed by name, size and time of the source files, made under
a lock and put in place by one rename, with the SHA-256 of each array beside it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np
from filelock import FileLock

from trainables.datasets import ImageArrays

RECORD = "digests.json"


def cached_arrays(
    name: str, sources: Sequence[Path], data_root: Path, decode: Callable[[], ImageArrays]
) -> ImageArrays:
    """The arrays of a data set, decoded by `decode` unless a former run did it from `sources`."""
    folder = _cache_root(data_root) / f"{name}-{_fingerprint(sources)}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not folder.is_dir():
                _write(folder, decode())
    return ImageArrays(
        **{
            item.name: np.load(folder / f"{item.name}.npy", mmap_mode="r")
            for item in fields(ImageArrays)
        }
    )


def _write(folder: Path, arrays: ImageArrays) -> None:
    aside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    aside.mkdir()
    try:
        digests = {}
        for item in fields(ImageArrays):
            values = np.ascontiguousarray(getattr(arrays, item.name))
            np.save(aside / f"{item.name}.npy", values)
            digests[item.name] = hashlib.sha256(values.tobytes()).hexdigest()
        (aside / RECORD).write_text(json.dumps(digests, indent=1))
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _fingerprint(sources: Sequence[Path]) -> str:
    facts = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(sources)]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def _cache_root(data_root: Path) -> Path:
    given = os.environ.get("ORCHESTRATOR_CACHE")
    if given:
        return Path(given) / "arrays"
    if os.access(data_root, os.W_OK):
        return data_root / ".arrays"
    return Path.home() / ".cache" / "orchestrator" / "arrays"
