"""Signals that end a program, from its first moment on. A launch takes them over; see `drain.py`.

Imports next to nothing, so that it can be in force before anything else is imported.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
from contextlib import suppress
from types import FrameType

from orchestrator.exit_codes import SIGNALLED
from orchestrator.guard.typed import resumes


class StopAtOnce(KeyboardInterrupt):
    """A second signal: nothing is waited for."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def ending_signals() -> tuple[int, ...]:
    """Those that end this process: Ctrl-C, a polite end, and a closed terminal unless `nohup`."""
    is_nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return (signal.SIGINT, signal.SIGTERM, *(() if is_nohup else (signal.SIGHUP,)))


def end_quietly() -> None:
    """From here on a signal ends this program with one line and without a trace."""
    for number in ending_signals():
        signal.signal(number, _end)


def leave_terminal() -> None:
    """After a hang-up: what is still to be said goes nowhere, instead of failing."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            # A terminal that has hung up no longer says that it is one.
            if stat.S_ISCHR(os.fstat(stream.fileno()).st_mode):
                nowhere = os.open(os.devnull, os.O_RDWR)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)


def _end(number: int, frame: FrameType | None) -> None:
    del frame
    if number == signal.SIGHUP:
        leave_terminal()
    is_launch = sys.argv[1:2] == ["launch"]
    line = resumes("stopped") if is_launch else "stopped"
    with suppress(OSError):
        os.write(2, f"{line}\n".encode(errors="replace"))
    raise SystemExit(SIGNALLED + number)
