"""What is left of a host once it or its launch has ended: nothing. Only own processes are ended."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.sweep import janitor
from orchestrator.sweep.janitor import session_members

HOST = """
import os, subprocess, sys, time
from pathlib import Path
from orchestrator.sweep.janitor import entrust
entrust(Path({folder!r}))
subprocess.Popen(["sleep", "600"], process_group=0)
Path({sign!r}).touch()
{then}
"""

pytestmark = pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc")


class Watched:
    """A janitor with a host that has started a process of its own."""

    def __init__(self, folder: Path, then: str) -> None:
        self.temporary, sign = folder / "session", folder / "sign"
        self.temporary.mkdir()
        code = HOST.format(folder=str(self.temporary), sign=str(sign), then=then)
        held, self.lifeline = os.pipe()
        connection = os.open(os.devnull, os.O_RDONLY)
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", janitor.__file__, str(held), str(connection)),
                *(sys.executable, "-c", code),
            ],
            pass_fds=(held, connection),
            start_new_session=True,
        )
        os.close(held)
        os.close(connection)
        wait_for(sign.exists)

    @property
    def members(self) -> list[int]:
        return session_members(self.process.pid)


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.02)


def test_the_end_of_the_launch_ends_all(tmp_path: Path) -> None:
    watched = Watched(tmp_path, "time.sleep(600)")
    assert len(watched.members) == 3
    os.close(watched.lifeline)  # as the kernel does for a process that is gone
    assert watched.process.wait(20) == 128 + signal.SIGKILL
    assert watched.members == []
    assert not watched.temporary.exists()


def test_a_launch_with_many_open_files_has_a_janitor_too(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2048:
        pytest.skip("a process may open too few files here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        test_the_end_of_the_launch_ends_all(tmp_path)
    finally:
        for number in held:
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_end_of_the_host_ends_all(tmp_path: Path) -> None:
    watched = Watched(tmp_path, "sys.exit(3)")
    assert watched.process.wait(20) == 3
    assert watched.members == []
    assert not watched.temporary.exists()
    os.close(watched.lifeline)


def test_signals_leave_the_janitor_at_its_work(tmp_path: Path) -> None:
    watched = Watched(tmp_path, "time.sleep(600)")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(watched.process.pid, number)
    time.sleep(0.3)
    assert len(watched.members) == 3
    os.close(watched.lifeline)
    watched.process.wait(20)
    assert watched.members == []


def test_a_link_to_the_latest_session_goes_with_it(tmp_path: Path) -> None:
    (tmp_path / "session_1").mkdir()
    (tmp_path / "session_2").mkdir()
    latest = tmp_path / "session_latest"
    latest.symlink_to(tmp_path / "session_2")
    janitor.remove(tmp_path / "session_1")
    assert latest.is_symlink()
    janitor.remove(tmp_path / "session_2")
    assert list(tmp_path.iterdir()) == []
