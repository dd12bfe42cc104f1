"""Ends every process of one Ray host, and removes its folders, once it or its launch has ended.

Stands between a launch and the process in which its Ray lives (`cluster/host.py`), and leads a
session of its own, in which all processes stay that a private cluster starts. So whatever ends the
launch, SIGKILL included, nothing of it goes on; processes of other launches are never touched. Run
as a script, with nothing but the standard library, so that it starts in a moment.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

ENTRUSTED = "ORCHESTRATOR_ENTRUSTED_FD"
"""Where a host writes the folders that shall be removed, one a line."""

LOOK_SECONDS = 0.2
END_SECONDS = 10.0
PR_SET_PDEATHSIG = 1


def entrust(folder: Path) -> None:
    """Let the janitor remove `folder` when all processes of this host have ended."""
    if number := os.environ.get(ENTRUSTED):
        os.write(int(number), f"{folder}\n".encode())


def end_session(session: int) -> None:
    """Kill all processes of a session but this one, those included that they start meanwhile."""
    end = time.monotonic() + END_SECONDS
    while (members := session_members(session)) and time.monotonic() < end:
        for pid in members:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def session_members(session: int) -> list[int]:
    """Living processes of a session, without this one; none where there is no /proc."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            state, its_session = fields[0], int(fields[3])
        except (OSError, IndexError):  # it has just ended
            continue
        if its_session == session and state not in ("Z", "X") and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found


def remove(folder: Path) -> None:
    """A session folder of Ray, and the link to the latest one if it led there."""
    shutil.rmtree(folder, ignore_errors=True)
    latest = folder.parent / "session_latest"
    with suppress(OSError):
        if latest.is_symlink() and not latest.exists():
            latest.unlink()


def main(arguments: Sequence[str]) -> int:
    """Run the host until it or the launch ends, then clear up. Returns the exit code.

    Args:
        arguments: the end of a pipe that is closed when the launch ends; the host's end of its
            connection with the launch; the host's command.
    """
    lifeline, connection, command = int(arguments[0]), int(arguments[1]), arguments[2:]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)  # unlike SIG_IGN not inherited by Ray
    entrusted, theirs = os.pipe()
    host = subprocess.Popen(
        command,
        pass_fds=(connection, theirs),
        env={**os.environ, ENTRUSTED: str(theirs)},
        preexec_fn=_end_with_parent,
    )
    os.close(connection)
    os.close(theirs)
    folders = _wait(host, lifeline, entrusted)
    end_session(os.getsid(0))
    for folder in folders.decode(errors="replace").splitlines():
        remove(Path(folder))
    code = host.wait()
    return code if code >= 0 else 128 - code


def _wait(host: subprocess.Popen[bytes], lifeline: int, entrusted: int) -> bytes:
    """Until the host or the launch ends. Returns what was entrusted."""
    folders, watched = b"", select.poll()  # `select` takes no descriptor beyond 1,023
    for end in (lifeline, entrusted):
        watched.register(end, select.POLLIN)
    while host.poll() is None:
        ready = [end for end, _ in watched.poll(1000 * LOOK_SECONDS)]
        if entrusted in ready:
            more = os.read(entrusted, 65536)
            folders += more
            if not more:
                watched.unregister(entrusted)
        if lifeline in ready:
            break
    return folders


def _end_with_parent() -> None:
    """Should the janitor itself be killed, its host goes with it."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
