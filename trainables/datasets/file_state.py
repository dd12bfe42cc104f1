"""Whether a file is what it was when it was last read, told without reading it. Knows no format."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

SETTLING_NS = 2_000_000_000
"""A file changed less than 2 s ago may change again and keep its times: clocks of files are coarse.

Nothing is remembered of such a file.
"""


class FileState(NamedTuple):
    """What changes when a file does; the time of the inode changes even if the others are set."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @property
    def is_settled(self) -> bool:
        """Whether a later change is sure to be seen in the times."""
        return time.time_ns() - max(self.mtime_ns, self.ctime_ns) > SETTLING_NS


def state_of(file: Path | int) -> FileState:
    """Of a file, or of one that is open. Raises OSError."""
    found = os.stat(file)  # noqa: PTH116 - takes an open file as well
    return FileState(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)
