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

from storage.durable import LandingError, put_if_absent

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

    @property
    def text(self) -> str:
        """What the file of a lease says."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, text: str) -> Holder | None:
        """The holder that wrote `text`; None if a crash left it broken."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            return None

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
        with suppress(OSError, LandingError):  # else it ends by its age
            _end(path, ours.text, ours, expiry_seconds)


def _take(path: Path, ours: Holder, expiry_seconds: float) -> Holder | None:
    """Put our name in place as the lease `path`: None if it is ours now, else who holds it."""
    while not put_if_absent(path, ours.text.encode()):
        found = _read(path)
        if found is None:
            continue  # given back since we looked
        holder = Holder.of(found)
        if holder is not None and _is_alive(path, holder, expiry_seconds):
            return holder
        ender = _end(path, found, ours, expiry_seconds)
        if ender is not None:
            return ender
    return None


def _end(path: Path, found: str, ours: Holder, expiry_seconds: float) -> Holder | None:
    """Remove the lease `path` if it still reads `found`: None if that is done, else who does it.

    To end a lease is itself leased, whether its holder gives it back or a successor found it dead.
    So nobody else can change the file between our look and our removal, and none that came late
    removes the successor's. Who dies while ending one is succeeded in the same way.
    """
    holder = Holder.of(found)
    ending = path.with_name(f".{holder.token if holder else path.name}.end")
    ender = _take(ending, ours, expiry_seconds)
    if ender is not None:
        return ender
    if _read(path) == found:
        path.unlink(missing_ok=True)
    ending.unlink(missing_ok=True)
    return None


def _is_alive(path: Path, holder: Holder, expiry_seconds: float) -> bool:
    if holder.host == socket.gethostname() and not _runs(holder.pid):
        return False
    now = _store_time(path.parent)
    try:
        return now - path.stat().st_mtime < expiry_seconds
    except FileNotFoundError:
        return False


def _store_time(folder: Path) -> float:
    """Now, by the store's clock: the time of a file just written there. Raises LandingError."""
    probe = folder / f".{uuid.uuid4().hex}"
    try:
        probe.touch()
        now = probe.stat().st_mtime
        probe.unlink()
    except OSError as error:
        raise LandingError(f"{folder.parent} cannot be written: {error.strerror}") from error
    return now


def _runs(pid: int) -> bool:
    """Whether a process lives; one that only waits to be fetched by its parent does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        state = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return True  # not a Linux machine
    return state not in ("Z", "X")


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace")
    except FileNotFoundError:
        return None


def _beat(path: Path, over: threading.Event) -> None:
    while not over.wait(HEARTBEAT_SECONDS):
        try:
            os.utime(path)
        except OSError:
            continue  # the store is away for a moment; the next beat may reach it
