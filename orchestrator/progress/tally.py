"""Where a phase stands: cells, epochs, pace, and the time that is left."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable

from orchestrator.progress.durations import format_seconds
from storage.schema import Outcome

RECENT_SECONDS = 600.0
"""The pace of this last while, beside that of the whole phase, gives the range of a forecast."""


class Tally:
    """Counts behind both views: cells, epochs, rates.

    Args:
        clock: monotonic seconds; a test passes its own.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._epochs_left: dict[str, int] = {}
        self._epochs_total: dict[str, int] = {}
        self._epochs_done = 0
        self._marks: deque[tuple[float, int]] = deque()
        self.phase = ""
        self.total = 0
        self.done_before = 0
        self.running: dict[str, int] = {}
        self.ended: Counter[str] = Counter()
        self.retries = 0

    def begin_phase(self, phase: str, done: int, to_run: dict[str, int]) -> None:
        self.phase, self.done_before = phase, done
        self.total = done + len(to_run)
        self.ended.clear()
        self.running.clear()
        self._epochs_left = dict(to_run)
        self._epochs_total = dict(to_run)
        self._epochs_done = 0
        self._marks.clear()
        self._started = self._clock()

    def start(self, key: str) -> None:
        """A cell begins; the clock runs from the first one, not from the start of the workers."""
        if not self.running and not self.ended:
            self._started = self._clock()
        self.running[key] = 0

    def advance(self, key: str, epoch: int) -> None:
        self.running[key] = epoch
        self._set_left(key, self._epochs_total.get(key, 0) - epoch)

    def end(self, key: str, outcome: str) -> None:
        self.running.pop(key, None)
        self.ended[outcome] += 1
        self._set_left(key, 0)

    def _set_left(self, key: str, left: int) -> None:
        before = self._epochs_left.get(key, 0)
        self._epochs_left[key] = max(0, left)
        self._epochs_done += max(0, before - self._epochs_left[key])
        now = self._clock()
        self._marks.append((now, self._epochs_done))
        while now - self._marks[0][0] > RECENT_SECONDS:
            self._marks.popleft()

    @property
    def done(self) -> int:
        """Cells with a result: those found in the store and those of this launch."""
        return self.done_before + self.ended[Outcome.FINISHED] + self.ended[Outcome.DIVERGED]

    @property
    def epochs_per_second(self) -> float:
        elapsed = self._clock() - self._started
        return self._epochs_done / elapsed if elapsed > 0 else 0.0

    @property
    def seconds_left(self) -> tuple[float, float] | None:
        """Remaining epochs at the pace of the phase and at the recent one, the shorter time first.

        None before the first epoch.
        """
        left = sum(self._epochs_left.values())
        rates = [rate for rate in (self.epochs_per_second, self._recent_rate) if rate > 0]
        return (left / max(rates), left / min(rates)) if rates else None

    @property
    def _recent_rate(self) -> float:
        if len(self._marks) < 2:
            return 0.0
        (start, before), (end, after) = self._marks[0], self._marks[-1]
        return (after - before) / (end - start) if end > start else 0.0

    def line(self) -> str:
        """The whole state in one line."""
        parts = [
            f"{self.phase}: {self.done}/{self.total} cells done",
            f"{len(self.running)} running",
        ]
        ended = {word: self.ended[word] for word in (Outcome.FAILED, Outcome.DIVERGED)}
        parts += [f"{count} {word}" for word, count in ended.items() if count]
        if self.retries:
            parts.append(f"{self.retries} retried")
        parts.append(f"{self.epochs_per_second:.1f} epochs/s")
        left = self.seconds_left
        if left is not None and self.done < self.total:
            parts.append(f"about {_range(*left)} left")
        return ", ".join(parts)


def _range(low: float, high: float) -> str:
    """`3 min 10 s`, or `2 h 05 min to 3 h 10 min` where the two differ by more than a tenth."""
    if high <= 1.1 * low:
        return format_seconds(high)
    return f"{format_seconds(low)} to {format_seconds(high)}"
