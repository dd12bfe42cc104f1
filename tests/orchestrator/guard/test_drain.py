"""Stopping a launch: signals, the budget, times on the command line."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from orchestrator.guard.drain import Drain, DrainFile
from orchestrator.guard.signals import StopAtOnce
from orchestrator.progress.durations import format_seconds, parse_seconds


def test_the_first_signal_drains_and_the_second_stops(tmp_path: Path) -> None:
    said: list[str] = []
    drain = Drain(tmp_path / "launch" / "drain", said.append)
    with pytest.raises(KeyboardInterrupt), drain.on_signals():
        assert not drain.is_set
        os.kill(os.getpid(), signal.SIGTERM)
        assert drain.is_set
        assert drain.signal == signal.SIGTERM
        assert drain.file.exists()
        os.kill(os.getpid(), signal.SIGTERM)
    assert len(said) == 1
    assert "checkpoint" in said[0]


def test_a_terminal_that_closes_twice_still_drains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.guard.drain.leave_terminal", lambda: None)
    drain = Drain(tmp_path / "drain", lambda _: None)
    with drain.on_signals():
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)
        assert drain.signal == signal.SIGHUP
        with pytest.raises(StopAtOnce) as stop:
            os.kill(os.getpid(), signal.SIGTERM)
    assert stop.value.number == signal.SIGTERM


def test_a_full_disk_keeps_the_word_back_but_not_the_drain(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    drain = Drain(tmp_path / "file" / "drain", lambda _: None)
    drain.begin("stopping")
    assert drain.is_set
    (tmp_path / "file").unlink()
    drain.tell_workers()
    assert DrainFile(drain.file).is_set


def test_a_spent_budget_drains_without_a_signal(tmp_path: Path) -> None:
    spent = threading.Event()
    drain = Drain(tmp_path / "drain", lambda _: spent.set())
    with drain.after(0.01):
        assert spent.wait(5)
    assert drain.is_set
    assert drain.signal is None
    assert drain.file.exists()


def test_a_budget_that_is_not_spent_leaves_nothing_behind(tmp_path: Path) -> None:
    drain = Drain(tmp_path / "drain", print)
    with drain.after(3600), drain.after(None):
        pass
    assert not drain.is_set
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.join(timeout=5)
            assert not thread.is_alive()


def test_times_are_read_and_written() -> None:
    assert [parse_seconds(text) for text in ("90s", "45m", "20h", "1.5 d")] == [
        90,
        2700,
        72_000,
        129_600,
    ]
    assert [format_seconds(s) for s in (42, 190, 7500)] == ["42 s", "3 min 10 s", "2 h 05 min"]


@pytest.mark.parametrize("text", ["20", "h", "-3h", "0m", "3 weeks", ""])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a time"):
        parse_seconds(text)
