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
from pathlib import Path
from typing import Any

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
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **state}, buffer)
    content = buffer.getbuffer()
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


def load(path: Path, config: dict[str, Any]) -> dict[str, Any] | None:
    """The state saved for `config`; None if there is none, or it is damaged, or of another run."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    body, digest = content[:-DIGEST_BYTES], content[-DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        return None
    state: dict[str, Any] = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
    fits = state.get("format") == FORMAT and state["config"] == config
    return state if fits else None


def discard(path: Path) -> None:
    """Remove a checkpoint that is no longer needed."""
    path.unlink(missing_ok=True)
