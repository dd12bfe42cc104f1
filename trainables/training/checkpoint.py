"""Mid-run checkpoints: written whole or not at all, trusted only with their digest.

A checkpoint is `torch.save` of tensors and plain values, followed by 32 bytes of SHA-256. It is
loaded with `weights_only=True` after the digest was checked, so a damaged file is as good as none
and a hostile one cannot run code.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import torch

DIGEST_BYTES = 32
FORMAT = 3
"""Of the state's entries; a checkpoint of another format is as good as none."""


FULL = (errno.ENOSPC, errno.EDQUOT)


def save(path: Path, state: dict[str, Any]) -> bool:
    """Replace the checkpoint at `path` by `state`, atomically and durably.

    Returns:
        False if the disk has no room: the former checkpoint stays, and training can go on.
    """
    return _put(path, _serialized(state))


class Writer:
    """Saves in a thread, so that training waits for no disk. A context: at its end none is open."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._writes: list[Future[bool]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    @property
    def is_busy(self) -> bool:
        """Whether a disk is slower than checkpoints are due."""
        return not all(write.done() for write in self._writes)

    def save(self, path: Path, state: dict[str, Any]) -> None:
        """Take `state` as it is now; it may change as soon as this returns."""
        self._writes.append(self._thread.submit(_put, path, _serialized(state)))

    def wait(self) -> None:
        """Until all is written. Raises OSError of a write, but not for want of room."""
        while self._writes:
            self._writes.pop(0).result()


def _serialized(state: dict[str, Any]) -> memoryview:
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **state}, buffer)
    return buffer.getbuffer()


def _put(path: Path, content: memoryview) -> bool:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with aside.open("xb") as file:
            file.write(content)
            file.write(hashlib.sha256(content).digest())
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        if error.errno not in FULL:
            raise
        return False
    finally:
        aside.unlink(missing_ok=True)
    return True


def load(
    path: Path, config: dict[str, Any], origin: dict[str, Any] | None = None
) -> dict[str, Any] | None:
    """The state saved for `config`; None if there is none, or it is damaged, or of another run.

    Args:
        origin: the code and data that the state must come from; None for any.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    body, digest = content[:-DIGEST_BYTES], content[-DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        return None
    state: dict[str, Any] = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
    fits = state.get("format") == FORMAT and state["config"] == config
    return state if fits and origin in (None, state.get("origin")) else None


def discard(path: Path) -> None:
    """Remove a checkpoint that is no longer needed."""
    path.unlink(missing_ok=True)
