"""A disk or a system that refuses to go on, told in one line, wherever it happened."""

from __future__ import annotations

import errno

from orchestrator.guard.address_space import limit_line
from orchestrator.guard.full_disk import is_disk_full

REFUSED = (errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE, errno.EMFILE)


def refusal_line(error: BaseException) -> str:
    """What `error` was refused; empty if it is of another kind, and its trace is worth seeing."""
    if line := limit_line(error):
        return line
    first: BaseException | None = error
    while first is not None:
        if isinstance(first, OSError) and (first.errno in REFUSED or is_disk_full(first)):
            place = f"{first.filename}: " if first.filename else ""
            reason = " ".join((first.strerror or str(first)).split())
            return f"{place}{reason}; what has landed stays, and the same command goes on"
        first = first.__cause__
    return ""
