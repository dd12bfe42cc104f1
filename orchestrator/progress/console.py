"""A launch on the console: a live view in a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar
from rich.text import Text

from orchestrator.progress import Progress
from orchestrator.progress.plain_text import one_line
from orchestrator.progress.tally import Tally

PLAIN_LINE_SECONDS = 15.0


class ConsoleProgress(Progress):
    """Keeps the tally and prints notes; what else is shown is the subclass's part."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self.console, self.tally = console, Tally(clock)

    def note(self, message: str) -> None:
        self.console.print(
            one_line(message, "orchestrator logs"), highlight=False, markup=False, soft_wrap=True
        )

    def begin_phase(self, phase: str, done: int, to_run: dict[str, int]) -> None:
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


class PlainProgress(ConsoleProgress):
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


class LiveProgress(ConsoleProgress):
    """A bar, the counts and the running cells, redrawn four times a second."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._bar = Bar(
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


def console_progress(console: Console) -> ConsoleProgress:
    """The live view in a terminal, plain lines elsewhere."""
    return LiveProgress(console) if console.is_terminal else PlainProgress(console)
