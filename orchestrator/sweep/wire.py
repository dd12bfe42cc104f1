"""What a launch and the process in which its Ray lives say to each other. Knows no Ray."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from orchestrator.study.resources import Resources
from orchestrator.sweep.attempt import LaunchSettings, Task


@dataclass(frozen=True)
class Order:
    """How a host starts.

    Args:
        address: of a running cluster; None starts a private one.
        resources: what one trial takes.
        scratch: folder for Tune's bookkeeping, readable by every node.
        working_dir: folder with plug-ins, sent to the workers of a running cluster.
        probe: a file that every node has to see.
        drain_file: appears when the launch drains.
        store, study, trackers: what trackers need; they live in the host.
    """

    address: str | None
    resources: Resources
    scratch: Path
    working_dir: Path | None
    probe: Path
    drain_file: Path
    store: Path
    study: str
    trackers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """What the host knows of its cluster; also its answer when it is ready or done."""

    slots: int = 0
    gpus_per_trial: float = 0.0
    is_open_to_anybody: bool = False


@dataclass(frozen=True)
class Run:
    """Run these stacks until each cell has ended or the drain begins."""

    stacks: tuple[tuple[Task, ...], ...]
    settings: LaunchSettings


@dataclass(frozen=True)
class Event:
    """One call of a `Progress`."""

    name: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Raised:
    """An error that ends the launch."""

    error: Exception


@dataclass(frozen=True)
class Lost:
    """The cluster is gone, and the host ends."""

    reason: str


@dataclass(frozen=True)
class Beat:
    """The host lives."""


@dataclass(frozen=True)
class End:
    """The host shall end."""


class Wire:
    """One end of the connection; any thread may send."""

    def __init__(self, descriptor: int) -> None:
        self._connection = Connection(descriptor)
        self._lock = threading.Lock()

    def send(self, message: object) -> None:
        """Raises OSError if nobody is at the other end."""
        with self._lock:
            self._connection.send(message)

    def receive(self) -> Any:
        """The next message. Raises EOFError or OSError if there will be none."""
        return self._connection.recv()

    def has_message(self, seconds: float) -> bool:
        """Whether a message, or the end, comes within `seconds`."""
        return self._connection.poll(seconds)

    def close(self) -> None:
        self._connection.close()
