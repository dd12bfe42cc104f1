"""Stopping a launch so that nothing is lost: the first signal drains, the second stops at once.

A spent budget drains in the same way.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Protocol, Self

from orchestrator.guard.signals import StopAtOnce, ending_signals, leave_terminal


class Stopping(Protocol):
    """What tells whether a wish to stop is known."""

    @property
    def is_set(self) -> bool:
        """Whether no more cells may start."""
        ...


class DrainFile:
    """The wish as another process sees it, by the file alone."""

    def __init__(self, file: Path) -> None:
        self._file = file

    @property
    def is_set(self) -> bool:
        return self._file.exists()


LAST_LINE_SECONDS = 1.0
"""For the line that tells of a drain, if the terminal is slow."""


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
        self._line: threading.Thread | None = None

    def begin(self, reason: str) -> None:
        """Let running cells write a checkpoint and start no more."""
        if self.is_set:
            return
        self.is_set = True
        self.tell_workers()
        # A signal comes in the middle of anything, even of the printing of another line.
        text = f"{reason}: running cells write a checkpoint"
        self._line = threading.Thread(target=self._announce, args=[text], daemon=True)
        self._line.start()

    def tell_workers(self) -> None:
        """Put the file there; called again until a full disk or a lost server lets it be."""
        with suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.touch()

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
        """Drain on SIGINT, SIGTERM and SIGHUP inside the block; a second one raises StopAtOnce."""
        former = {number: signal.signal(number, self._receive) for number in ending_signals()}
        try:
            yield self
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)
            if self._line:
                self._line.join(LAST_LINE_SECONDS)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        del frame
        if number == signal.SIGHUP:
            leave_terminal()
            if self.is_set:
                return  # a terminal that closes says so more than once
        if self.signal is not None:
            raise StopAtOnce(number)
        self.signal = number
        self.begin("stopping (once more stops at once)")
