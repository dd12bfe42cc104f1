"""Ends a worker whose cell hangs: no epoch for far longer than the epochs before it took.

A hang (a dead file server, a stuck driver call) raises nothing, so only time can tell. The thread
that keeps time does not share the hanging one's fate; the process is ended from outside it.
"""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

FACTOR = 20.0
"""An epoch may take this many times the median of the epochs before it."""

FLOOR_SECONDS = 900.0
"""No epoch counts as hanging before this time: machines pause, disks spin up."""

FIRST_EPOCH_SECONDS = 6 * 3600.0
"""Time for the first epoch, data loading and compilation included."""


class Watchdog:
    """Calls `on_hang` once if an epoch takes too long; used as a context around a training run.

    Args:
        on_hang: gets the seconds waited; runs in the watchdog's own thread.
        first_epoch_seconds: time for the first epoch, whose length nobody knows yet.
        floor_seconds: least time allowed for any epoch.
        clock: monotonic seconds; a test passes its own.
    """

    def __init__(
        self,
        on_hang: Callable[[float], None],
        *,
        first_epoch_seconds: float = FIRST_EPOCH_SECONDS,
        floor_seconds: float = FLOOR_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_hang, self._clock = on_hang, clock
        self._first, self._floor = first_epoch_seconds, floor_seconds
        self._epochs: list[float] = []
        self._began = self._last = clock()
        self._over = threading.Event()

    def epoch_ended(self) -> None:
        """The next epoch begins."""
        now = self._clock()
        self._epochs.append(now - self._began)
        self._began = self._last = now

    def step_ended(self) -> None:
        """The run is alive."""
        self._last = self._clock()

    @property
    def allowed_seconds(self) -> float:
        """How long the present epoch may take without any sign of life."""
        if not self._epochs:
            return self._first
        return max(self._floor, FACTOR * statistics.median(self._epochs))

    def check(self) -> bool:
        """Whether the present epoch took too long; if so, `on_hang` was called."""
        waited = self._clock() - self._last
        if waited <= self.allowed_seconds:
            return False
        self._on_hang(waited)
        return True

    def __enter__(self) -> Self:
        self._began = self._last = self._clock()
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del kind, error, trace
        self._over.set()

    def _watch(self) -> None:
        pause = min(5.0, self._floor / 4)
        while not self._over.wait(pause) and not self.check():
            pass
