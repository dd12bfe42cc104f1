"""Signals before and beside a launch: one line, the shell's exit code, no trace."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

WAITING = """
import sys, time
from orchestrator.guard.signals import end_quietly
sys.argv = ["/somewhere/orchestrator", {verb!r}, "a study.yaml"]
end_quietly()
print("ready", flush=True)
time.sleep(60)
"""


def run(verb: str, number: int, *before: str) -> tuple[int, str]:
    process = subprocess.Popen(
        [*before, sys.executable, "-c", WAITING.format(verb=verb)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    if before:
        time.sleep(0.3)
        assert process.poll() is None
        process.kill()
    _, said = process.communicate(timeout=20)
    return process.returncode, said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_launch_that_has_not_begun_says_how_to_go_on(number: int) -> None:
    code, said = run("launch", number)
    assert code == 128 + number
    assert said == "stopped; the same command resumes: orchestrator launch 'a study.yaml'\n"


def test_other_verbs_just_stop() -> None:
    assert run("report", signal.SIGINT) == (130, "stopped\n")


def test_nohup_is_respected() -> None:
    code, _ = run("launch", signal.SIGHUP, "nohup")
    assert code == -signal.SIGKILL
