"""Digests that were taken before, so that nothing is read twice that has not changed.

Notes lie beside the decoded arrays (`array_cache`). They save time and decide nothing: one that is
damaged, or cannot be written, costs reading the files again.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from trainables.datasets.array_cache import cache_root
from trainables.datasets.file_state import FileState, state_of

FOLDER = "digests"


class Note:
    """Plain values under a name, in a file of their own.

    Args:
        name: any text.
        data_root: folder of the data sets; None keeps nothing.
    """

    def __init__(self, name: str, data_root: Path | None) -> None:
        digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:32]
        self._path = cache_root(data_root) / FOLDER / f"{digest}.json" if data_root else None

    def read(self) -> dict[str, Any]:
        """What was written; empty if that was nothing, or is damaged."""
        try:
            content = json.loads(self._path.read_bytes()) if self._path else {}
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def write(self, content: Mapping[str, Any]) -> None:
        """By one rename, so that a reader finds the old or the new; in vain where nothing may be
        written.
        """
        if self._path is None:
            return
        aside = self._path.with_name(f".{self._path.name}.{uuid.uuid4().hex[:8]}")
        with suppress(OSError):
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                aside.write_text(json.dumps(content))
                aside.replace(self._path)
            finally:
                aside.unlink(missing_ok=True)


def file_digests(
    folder: Path, names: Sequence[str], states: Sequence[FileState], data_root: Path | None
) -> list[str]:
    """SHA-256 of each file below a folder, read only if it is not in its remembered state.

    Raises OSError.
    """
    note = Note(f"files {folder.resolve()}", data_root)
    known = note.read()
    changed = [
        name
        for name, state in zip(names, states, strict=True)
        if not _is_known(known.get(name), state)
    ]
    taken = dict(_take(folder, changed))
    settled = {name: [*state, digest] for name, (state, digest) in taken.items() if state}
    if settled:
        note.write({**known, **settled})
    return [taken[name][1] if name in taken else known[name][-1] for name in names]


def _is_known(entry: Any, state: FileState) -> bool:
    """Whether an entry is whole and of this very state."""
    return isinstance(entry, list) and entry[:-1] == list(state) and isinstance(entry[-1], str)


def _take(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, tuple[FileState | None, str]]]:
    """Name → state, None if it may not be remembered, and digest of each file, by many readers."""
    if not names:
        return
    with ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="digests") as pool:
        yield from zip(names, pool.map(_digest, [folder / name for name in names]), strict=True)


def _digest(path: Path) -> tuple[FileState | None, str]:
    with path.open("rb") as file:
        before = state_of(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        is_still = before.is_settled and state_of(file.fileno()) == before
    return before if is_still else None, digest
