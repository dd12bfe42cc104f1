"""Signals and deaths around a launch, tried on a real one. Ends only what it has started itself."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.sweep.janitor import session_members
from tests.faults.campaign import TARGETS, find

pytestmark = pytest.mark.slow

LONG = ("cell.epochs=100000", "--checkpoint-seconds", "0")
"""More than any test waits for."""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(study: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts a launch of the tiny study, and ends it with the test."""
    started: list[subprocess.Popen[str]] = []

    def run(*more: str, **options: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "orchestrator", "launch", str(study)]
        launch = subprocess.Popen(
            [*command, *more, "--store", str(tmp_path / "store")],
            **{"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, **options},
        )
        started.append(launch)
        return launch

    yield run
    for launch in started:
        launch.kill()
        launch.wait()
        if launch.stdout:
            launch.stdout.close()


def wait_for(condition: Callable[[], object], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.05)


def checkpoints(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "store" / "checkpoints").glob("*.pt"))


def test_sigterm_drains_once_ray_has_started(start: Start, tmp_path: Path) -> None:
    launch = start(*LONG)
    wait_for(lambda: checkpoints(tmp_path))
    (janitor,) = find(launch.pid, TARGETS["janitor"])
    launch.send_signal(signal.SIGTERM)
    output, _ = launch.communicate(timeout=60)
    assert launch.returncode == 143, output
    assert "running cells write a checkpoint" in output
    assert "stopped; the same command resumes: python -m orchestrator launch" in output
    assert "Traceback" not in output
    assert checkpoints(tmp_path)
    assert session_members(janitor) == []
    assert list((tmp_path / "store" / ".launches").iterdir()) == []
    assert list((tmp_path / "store" / ".leases").iterdir()) == []


def test_a_closed_terminal_drains(start: Start, tmp_path: Path) -> None:
    """The kernel sends SIGHUP, and whatever is written to the terminal from then on fails."""
    ours, theirs = pty.openpty()
    launch = start(*LONG, stdin=theirs, stdout=theirs, stderr=theirs, preexec_fn=_take_terminal)
    os.close(theirs)
    wait_for(lambda: os.read(ours, 65536) and checkpoints(tmp_path))  # a full terminal would block
    os.close(ours)
    assert launch.wait(60) == 129
    assert checkpoints(tmp_path)
    assert list((tmp_path / "store" / ".leases").iterdir()) == []


def _take_terminal() -> None:
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.mark.parametrize("stage", ["import", "cluster", "worker"])
def test_ctrl_c_ends_a_launch_that_is_still_starting(start: Start, stage: str) -> None:
    launch = start(*LONG)
    if stage == "import":
        time.sleep(0.3)
    elif stage == "cluster":
        wait_for(lambda: find(launch.pid, TARGETS["gcs"]))
    else:
        wait_for(lambda: find(launch.pid, TARGETS["worker"]))
    began = time.monotonic()
    launch.send_signal(signal.SIGINT)
    output, _ = launch.communicate(timeout=90)
    assert launch.returncode == 130, output
    assert output.rstrip().splitlines()[-1].startswith("stopped; the same command resumes")
    assert "Traceback" not in output
    assert time.monotonic() - began < (60 if stage == "worker" else 20)


def test_a_killed_driver_leaves_nothing_that_runs(start: Start, tmp_path: Path) -> None:
    launch = start(*LONG)
    wait_for(lambda: checkpoints(tmp_path))
    (janitor,) = find(launch.pid, TARGETS["janitor"])
    assert len(session_members(janitor)) > 5
    os.kill(launch.pid, signal.SIGKILL)  # and it is not fetched: a zombie
    wait_for(lambda: not session_members(janitor), 15)
    again = start("cell.epochs=1", "seeds=1")
    output, _ = again.communicate(timeout=120)
    assert again.returncode == 0, output
    assert [entry.name for entry in (tmp_path / "store" / ".launches").iterdir()] == []


def test_a_lost_cluster_is_replaced_once(start: Start, tmp_path: Path) -> None:
    """The second one is lost before any epoch, so a third would hardly fare better."""
    launch = start(*LONG)
    wait_for(lambda: checkpoints(tmp_path))
    (former,) = find(launch.pid, TARGETS["gcs"])
    os.kill(former, signal.SIGKILL)
    wait_for(lambda: [pid for pid in find(launch.pid, TARGETS["raylet"]) if pid != former])
    wait_for(lambda: find(launch.pid, TARGETS["gcs"]) not in ([], [former]))
    wait_for(lambda: find(launch.pid, TARGETS["raylet"]))
    os.kill(find(launch.pid, TARGETS["raylet"])[0], signal.SIGKILL)
    output, _ = launch.communicate(timeout=120)
    assert launch.returncode == 3, output
    assert "the Ray cluster was lost (its GCS has ended); going on with a new one" in output
    last = output.rstrip().splitlines()[-1]
    assert last.startswith("error: the Ray cluster was lost 2 times")
    assert "; the same command resumes: python -m orchestrator launch" in last
    assert "Traceback" not in output
    assert "*** SIG" not in output
