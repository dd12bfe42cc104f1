"""What a running launch shows."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.progress import Progress, SharedProgress
from orchestrator.progress.console import LiveProgress, PlainProgress, console_progress
from orchestrator.progress.event_log import EventLog, EventLogError
from orchestrator.progress.tally import Tally


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
    assert isinstance(console_progress(console), LiveProgress)
    view = LiveProgress(console)
    with view:
        view.begin_phase("main", 0, {"abc": 2})
        view.trial_started("abc")
        view.trial_advanced("abc", 1)
        view.trial_ended("abc", "failed")
    assert "1 failed" in text.getvalue()


class Broken(Progress):
    def trial_started(self, key: str) -> None:
        raise OSError("the pipe is closed")


def test_a_listener_that_fails_is_left_out_and_the_others_go_on() -> None:
    text = io.StringIO()
    console = PlainProgress(Console(file=text, width=200))
    with SharedProgress([Broken(), console]) as progress:
        progress.begin_phase("main", 0, {"a": 2})
        progress.trial_started("a")
        progress.trial_started("a")
        progress.trial_ended("a", "finished")
    assert text.getvalue().count("Broken failed and is left out from here: the pipe is closed") == 1
    assert console.tally.done == 1


def test_a_console_that_is_gone_never_touches_a_trial() -> None:
    text = io.StringIO()
    with SharedProgress([PlainProgress(Console(file=text, width=200))]) as progress:
        text.close()
        progress.begin_phase("main", 0, {"a": 2})
        progress.trial_started("a")
        progress.note("nobody reads this")


def test_every_event_is_a_line_of_json(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    for _ in range(2):  # a second launch appends
        with EventLog(path) as log:
            log.begin_phase("main", 1, {"a": 2, "b": 2})
            log.trial_started("a")
            log.trial_advanced("a", 1)
            log.trial_retried("a")
            log.note("two\nlines")
            log.trial_ended("a", "diverged")
    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert [event["event"] for event in events[:8]] == [
        "launch", "phase", "started", "advanced", "retried", "note", "ended", "end",
    ]  # fmt: skip
    assert len(events) == 16
    assert all(event["time"].endswith("+00:00") for event in events)
    assert events[1] | {"time": ""} == {
        "time": "", "event": "phase", "phase": "main", "done": 1, "due": 2,
    }  # fmt: skip
    assert events[6]["outcome"] == "diverged"
    assert events[7]["error"] is None


def test_the_log_says_what_ended_the_launch(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with pytest.raises(KeyboardInterrupt), EventLog(path):
        raise KeyboardInterrupt
    assert json.loads(path.read_text().splitlines()[-1])["error"] == "KeyboardInterrupt"


def test_a_log_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(EventLogError, match="cannot be written: Is a directory"):
        EventLog(tmp_path)
