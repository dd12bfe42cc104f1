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
    ours = Holder(
        socket.gethostname(),
        os.getpid(),
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        uuid.uuid4().hex,
    )
    is_told = False
    while (holder := _try_to_take(path, ours, expiry_seconds)) is not None:
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
        with suppress(OSError), _written_aside(path, ours) as aside:  # else it ends by its age
            _end(path, ours.text, aside, expiry_seconds)


def _try_to_take(path: Path, ours: Holder, expiry_seconds: float) -> Holder | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _written_aside(path, ours) as aside:
            return _take(path, aside, expiry_seconds)
    except OSError as error:
        raise LandingError(f"{path.parent.parent} cannot be written: {error.strerror}") from error


def _take(path: Path, aside: Path, expiry_seconds: float) -> Holder | None:
    """Put the file `aside` in place as the lease `path`: None if it is ours, else who holds it."""
    while True:
        try:
            os.link(aside, path)
        except FileExistsError:
            pass
        else:
            return None
        found = _read(path)
        if found is None:
            continue  # given back since we looked
        holder = Holder.of(found)
        if holder is not None and _is_alive(path, aside, holder, expiry_seconds):
            return holder
        ender = _end(path, found, aside, expiry_seconds)
        if ender is not None:
            return ender


def _end(path: Path, found: str, aside: Path, expiry_seconds: float) -> Holder | None:
    """Remove the lease `path` if it still reads `found`: None if that is done, else who does it.

    To end a lease is itself leased, whether its holder gives it back or a successor found it dead.
    So nobody else can change the file between our look and our removal, and none that came late
    removes the successor's. Who dies while ending one is succeeded in the same way.
    """
    holder = Holder.of(found)
    ending = path.with_name(f".{holder.token if holder else path.name}.end")
    ender = _take(ending, aside, expiry_seconds)
    if ender is not None:
        return ender
    if _read(path) == found:
        path.unlink()
    ending.unlink(missing_ok=True)
    return None


@contextmanager
def _written_aside(path: Path, ours: Holder) -> Iterator[Path]:
    """Our name in a file of its own: linked in place, it is there whole or not at all."""
    aside = path.with_name(f".{ours.token}")
    aside.write_text(ours.text)
    try:
        yield aside
    finally:
        aside.unlink(missing_ok=True)


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
