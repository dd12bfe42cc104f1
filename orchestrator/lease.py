"""One launch of a study at a time: a lease in the store, kept alive by a heartbeat.

The lease only saves work. Results are put in place if absent, so two launches at once, or one that
lost its lease without knowing, cannot harm each other. Ages are taken by the store's own clock
(the times of its files), so the clocks of the machines do not matter.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from storage.durable import LandingError

HEARTBEAT_SECONDS = 10.0
EXPIRY_SECONDS = 60.0
"""A lease without a heartbeat for so long belongs to nobody."""

POLL_SECONDS = 2.0


@dataclass(frozen=True)
class Holder:
    """Who holds a lease."""

    host: str
    pid: int
    started: str
    token: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.started}"


class LeaseHeldError(Exception):
    """Another launch of the study is running."""

    def __init__(self, study: str, holder: Holder) -> None:
        super().__init__(
            f"study {study} is being launched by {holder}; "
            "--wait waits for it, --join runs cells beside it"
        )
        self.holder = holder


@contextmanager
def hold(
    store: Path,
    study: str,
    *,
    wait: bool = False,
    on_wait: Callable[[Holder], None] = lambda _: None,
    expiry_seconds: float = EXPIRY_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[None]:
    """Hold the lease of `study` in `store`.

    Args:
        wait: wait for a living holder to end, instead of raising.
        on_wait: called once with the holder that is waited for.

    Raises:
        LeaseHeldError: somebody else holds it.
        LandingError: the store cannot be written.
    """
    path = store / ".leases" / f"{study}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LandingError(f"{store} cannot be written: {error.strerror}") from error
    ours = Holder(
        socket.gethostname(),
        os.getpid(),
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        uuid.uuid4().hex,
    )
    is_told = False
    while (holder := _take(path, ours, expiry_seconds)) is not None:
        if not wait:
            raise LeaseHeldError(study, holder)
        if not is_told:
            on_wait(holder)
            is_told = True
        sleep(POLL_SECONDS)
    over = threading.Event()
    beat = threading.Thread(target=_beat, args=(path, over), name="lease", daemon=True)
    beat.start()
    try:
        yield
    finally:
        over.set()
        beat.join()
        if _read(path) == ours:
            path.unlink(missing_ok=True)


def _take(path: Path, ours: Holder, expiry_seconds: float) -> Holder | None:
    """None if the lease is ours now, else its living holder."""
    aside = path.with_name(f".{ours.token}")
    aside.write_text(json.dumps(asdict(ours)))
    try:
        while True:
            try:
                os.link(aside, path)
            except FileExistsError:
                holder = _read(path)
                if holder is not None and _is_alive(path, aside, holder, expiry_seconds):
                    return holder
                _set_aside(path, holder)
            else:
                return None
    finally:
        aside.unlink(missing_ok=True)


def _set_aside(path: Path, dead: Holder | None) -> None:
    """Remove a dead holder's lease; of several that try, one rename succeeds."""
    gone = path.with_name(f".{uuid.uuid4().hex}")
    try:
        path.rename(gone)
    except FileNotFoundError:
        return
    if _read(gone) != dead:  # somebody took it over between our look and our rename
        with suppress(FileExistsError):
            os.link(gone, path)
    gone.unlink(missing_ok=True)


def _is_alive(path: Path, probe: Path, holder: Holder, expiry_seconds: float) -> bool:
    if holder.host == socket.gethostname() and not _runs(holder.pid):
        return False
    try:
        os.utime(probe)
        age = probe.stat().st_mtime - path.stat().st_mtime
    except FileNotFoundError:
        return False
    return age < expiry_seconds


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _read(path: Path) -> Holder | None:
    try:
        return Holder(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _beat(path: Path, over: threading.Event) -> None:
    while not over.wait(HEARTBEAT_SECONDS):
        try:
            os.utime(path)
        except OSError:
            continue  # the store is away for a moment; the next beat may reach it
