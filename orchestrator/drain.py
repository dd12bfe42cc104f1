"""Stopping a launch so that nothing is lost: the first signal drains, the second stops at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Self


class Drain:
    """A wish to stop, known to this process and, through a file in the store, to all workers.

    Args:
        file: created when the drain begins; workers look for it at the end of each epoch.
        announce: shows a line to the user.
    """

    def __init__(self, file: Path, announce: Callable[[str], None]) -> None:
        self.file, self._announce = file, announce
        self.signal: int | None = None

    @property
    def is_set(self) -> bool:
        return self.signal is not None

    @contextmanager
    def on_signals(self) -> Iterator[Self]:
        """Drain on SIGINT and SIGTERM inside the block; a second one raises KeyboardInterrupt."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        former = {number: signal.signal(number, self._receive) for number in numbers}
        try:
            yield self
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.is_set:
            raise KeyboardInterrupt
        self.signal = number
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.touch()
        self._announce("stopping: running cells write a checkpoint (once more stops at once)")
