"""Stopping a launch so that nothing is lost: the first signal drains, the second stops at once.

A spent budget drains in the same way.
"""

from __future__ import annotations

import signal
import threading
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
        self.is_set = False

    def begin(self, reason: str) -> None:
        """Let running cells write a checkpoint and start no more."""
        if self.is_set:
            return
        self.is_set = True
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.touch()
        self._announce(f"{reason}: running cells write a checkpoint")

    @contextmanager
    def after(self, seconds: float | None) -> Iterator[Self]:
        """Drain once `seconds` have passed inside the block; None for no limit."""
        timer = threading.Timer(seconds or 0, self.begin, ["the budget is spent"])
        timer.daemon = True
        if seconds is not None:
            timer.start()
        try:
            yield self
        finally:
            timer.cancel()

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
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number
        self.begin("stopping (once more stops at once)")
