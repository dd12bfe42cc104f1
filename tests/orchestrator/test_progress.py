"""What a running launch shows."""

from __future__ import annotations

import io

from rich.console import Console

from orchestrator.progress import (
    LiveProgress,
    PlainProgress,
    ShieldedProgress,
    Tally,
    make_progress,
)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_tally_counts_cells_and_forecasts_the_rest() -> None:
    clock = Clock()
    tally = Tally(clock)
    tally.begin_phase("main", done=2, to_run={"a": 10, "b": 10})
    clock.now = 100  # starting the workers does not count
    tally.start("a")
    clock.now = 105
    tally.advance("a", 5)
    assert tally.epochs_per_second == 1
    assert tally.seconds_left == (15, 15)
    tally.end("a", "diverged")
    assert (
        tally.line() == "main: 3/4 cells done, 0 running, 1 diverged, 2.0 epochs/s, about 5 s left"
    )


def test_the_forecast_spans_the_pace_of_the_phase_and_the_recent_one() -> None:
    clock = Clock()
    tally = Tally(clock)
    tally.begin_phase("main", done=0, to_run={"a": 2000, "b": 100})
    tally.start("a")
    for epoch in range(1, 1001):
        clock.now = epoch  # one epoch a second, then one in two
        tally.advance("a", epoch)
    for epoch in range(1, 501):
        clock.now = 1000 + 2 * epoch
        tally.advance("a", 1000 + epoch)
    low, high = tally.seconds_left or (0, 0)
    assert (round(low), round(high)) == (800, 1200)
    assert "13 min 20 s to 20 min 00 s left" in tally.line()


def test_plain_lines_come_at_most_every_15_seconds() -> None:
    clock, text = Clock(), io.StringIO()
    view = PlainProgress(Console(file=text, width=200), clock)
    with view:
        view.begin_phase("main", 0, {"a": 100})
        view.trial_started("a")
        for epoch in range(1, 31):
            clock.now += 1
            view.trial_advanced("a", epoch)
        view.trial_retried("a")
        view.trial_ended("a", "finished")
    lines = text.getvalue().splitlines()
    assert len(lines) == 5
    assert "lost" in lines[3]
    assert lines[-1].startswith("main: 1/1 cells done")


def test_the_live_view_draws_and_ends_with_the_tally() -> None:
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=120)
    assert isinstance(make_progress(console), ShieldedProgress)
    view = LiveProgress(console)
    with view:
        view.begin_phase("main", 0, {"abc": 2})
        view.trial_started("abc")
        view.trial_advanced("abc", 1)
        view.trial_ended("abc", "failed")
    assert "1 failed" in text.getvalue()
