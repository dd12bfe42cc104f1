"""What a running launch shows: a live view in a terminal, plain lines elsewhere.

Gets events, draws, and decides nothing. Knows no Ray.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from orchestrator.durations import format_seconds
from storage.schema import Outcome

PLAIN_LINE_SECONDS = 15.0

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


class ProgressView:
    """Receives the events of a launch and keeps the tally; what is shown is the subclass's part."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self.console, self.tally = console, Tally(clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del kind, error, trace

    def note(self, message: str) -> None:
        """One line for the user, now."""
        self.console.print(message, highlight=False, markup=False, soft_wrap=True)

    def begin_phase(self, phase: str, done: int, to_run: dict[str, int]) -> None:
        """`done` cells of the phase are in the store; `to_run` maps key → epochs."""
        self.tally.begin_phase(phase, done, to_run)

    def trial_started(self, key: str) -> None:
        self.tally.start(key)

    def trial_advanced(self, key: str, epoch: int) -> None:
        self.tally.advance(key, epoch)

    def trial_retried(self, key: str) -> None:
        self.tally.retries += 1
        self.note(f"  cell {key[:12]}: its worker was lost; it goes on from its last checkpoint")

    def trial_ended(self, key: str, outcome: str) -> None:
        self.tally.end(key, outcome)


class PlainProgress(ProgressView):
    """One line at each phase, then one every 15 seconds: for logs."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(console, clock)
        self._clock, self._due = clock, 0.0

    def begin_phase(self, phase: str, done: int, to_run: dict[str, int]) -> None:
        super().begin_phase(phase, done, to_run)
        self._show_now()

    def trial_advanced(self, key: str, epoch: int) -> None:
        super().trial_advanced(key, epoch)
        self._show_if_due()

    def trial_ended(self, key: str, outcome: str) -> None:
        super().trial_ended(key, outcome)
        if self.tally.done == self.tally.total:
            self._show_now()
        else:
            self._show_if_due()

    def _show_if_due(self) -> None:
        if self._clock() >= self._due:
            self._show_now()

    def _show_now(self) -> None:
        self._due = self._clock() + PLAIN_LINE_SECONDS
        self.note(self.tally.line())


class LiveProgress(ProgressView):
    """A bar, the counts and the running cells, redrawn four times a second."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=40), MofNCompleteColumn()
        )
        self._task = self._bar.add_task("", total=None)
        self._live = Live(
            get_renderable=self._draw, console=console, refresh_per_second=4, transient=True
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()
        if self.tally.total:
            self.note(self.tally.line())

    def _draw(self) -> RenderableType:
        tally = self.tally
        self._bar.update(
            self._task, description=tally.phase, total=tally.total or None, completed=tally.done
        )
        running = [f"  {key[:12]}  epoch {epoch}" for key, epoch in tally.running.items()]
        shown = running[:8] + ([f"  … and {len(running) - 8} more"] if len(running) > 8 else [])
        return Group(self._bar, Text(tally.line()), *(Text(line, style="dim") for line in shown))


class ShieldedProgress(ProgressView):
    """Another view, whose errors (a closed terminal, a full pipe) never reach the cells.

    After its first error the view is left alone; its tally stays what it was.
    """

    def __init__(self, view: ProgressView) -> None:
        super().__init__(view.console)
        self._view, self._works = view, True
        self.tally = view.tally

    def __enter__(self) -> Self:
        self._attempt(self._view.__enter__)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._attempt(lambda: self._view.__exit__(kind, error, trace))

    def note(self, message: str) -> None:
        self._attempt(lambda: self._view.note(message))

    def begin_phase(self, phase: str, done: int, to_run: dict[str, int]) -> None:
        self._attempt(lambda: self._view.begin_phase(phase, done, to_run))

    def trial_started(self, key: str) -> None:
        self._attempt(lambda: self._view.trial_started(key))

    def trial_advanced(self, key: str, epoch: int) -> None:
        self._attempt(lambda: self._view.trial_advanced(key, epoch))

    def trial_retried(self, key: str) -> None:
        self._attempt(lambda: self._view.trial_retried(key))

    def trial_ended(self, key: str, outcome: str) -> None:
        self._attempt(lambda: self._view.trial_ended(key, outcome))

    def _attempt(self, show: Callable[[], object]) -> None:
        if self._works:
            try:
                show()
            except Exception:  # noqa: BLE001 - whatever a view does, training goes on
                self._works = False


def make_progress(console: Console) -> ProgressView:
    """The live view in a terminal, plain lines elsewhere."""
    view = LiveProgress(console) if console.is_terminal else PlainProgress(console)
    return ShieldedProgress(view)
