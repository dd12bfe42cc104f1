"""A store that becomes read-only in the middle of a sweep is waited for."""

from __future__ import annotations

import errno
import os

from orchestrator.guard.full_disk import insist


def test_a_write_goes_on_once_the_store_can_be_written_again() -> None:
    tries, waits = [], []

    def write() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return "landed"

    landed = insist(
        write, on_wait=waits.append, should_stop=lambda: False, sleep=lambda seconds: None
    )
    assert landed == "landed"
    assert len(waits) == 2
    assert "Read-only file system" in waits[0]
