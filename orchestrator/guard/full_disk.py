"""A full disk is a pause, not a failure: what was computed waits until it can be written."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PAUSE_SECONDS = 10.0
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""A file system that has become read-only takes as little as a full one, and may come back too."""


def insist(
    write: Callable[[], T],
    *,
    on_wait: Callable[[str], None],
    should_stop: Callable[[], bool],
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Try `write` until the disk has room for it.

    Args:
        write: raises OSError, or an error caused by one, while the disk is full.
        on_wait: gets the reason each time it has to wait.
        should_stop: whether to give up waiting.

    Raises:
        Whatever `write` raises for another reason, or when told to stop.
    """
    while True:
        try:
            return write()
        except Exception as error:
            if not is_disk_full(error) or should_stop():
                raise
            on_wait(str(error))
            sleep(PAUSE_SECONDS)


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, or what caused it, is a full disk or quota."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, OSError) and found.errno in FULL:
            return True
        found = found.__cause__
    return False
