"""Cells are run by a host (`cluster/host.py`). It may be lost: the launch then starts another.

Landed results stay, and running cells go on from their checkpoints, so a lost cluster costs a few
epochs. The launch itself never waits on Ray, so it hears a signal at any moment. Knows no Ray.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from orchestrator.guard.drain import Drain
from orchestrator.progress import Progress
from orchestrator.sweep import janitor
from orchestrator.sweep.attempt import LaunchSettings, Task
from orchestrator.sweep.errors import ClusterLostError, ExecutorError
from orchestrator.sweep.wire import Beat, End, Event, Facts, Lost, Order, Raised, Run, Wire

MOST_LOSSES = 2
"""Clusters lost one after another, without an epoch in between, before a launch gives up."""

START_SECONDS = 180.0
"""For a cluster to be there; Ray's own limits are shorter."""

SILENT_SECONDS = 120.0
"""A host that gives no sign of life for so long is stuck."""

END_SECONDS = 60.0
"""For the farewell of Ray and of trackers."""

LOOK_SECONDS = 0.2
INTERRUPTED = "interrupted"


class _LostError(Exception):
    """The host or its cluster is gone; the text says how."""


class Host:
    """One life of the process in which Ray lives."""

    def __init__(self, log: Path) -> None:
        ours, theirs = socket.socketpair()
        held, self._lifeline = os.pipe()
        number = str(theirs.fileno())
        path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        with _opened(log) as output:
            self._janitor = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", janitor.__file__, str(held), number),
                    *(sys.executable, "-m", "orchestrator.cluster.host", number),
                ],
                pass_fds=(held, theirs.fileno()),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,
            )
        os.close(held)
        theirs.close()
        self._wire = Wire(ours.detach())
        self._heard = time.monotonic()

    def send(self, message: object) -> None:
        """Raises _LostError."""
        try:
            self._wire.send(message)
        except OSError as error:
            raise _LostError("the process of Ray has ended") from error

    def receive(self) -> Any:
        """The next message, or None if there is none for a moment. Raises _LostError."""
        try:
            if self._wire.has_message(LOOK_SECONDS):
                self._heard = time.monotonic()
                message = self._wire.receive()
                return None if isinstance(message, Beat) else message
        except (EOFError, OSError) as error:
            raise _LostError("the process of Ray has ended") from error
        if time.monotonic() - self._heard > SILENT_SECONDS:
            raise _LostError(f"the process of Ray gave no sign of life for {SILENT_SECONDS:g} s")
        return None

    def end(self) -> None:
        """Let Ray and the trackers say farewell."""
        with suppress(OSError, subprocess.TimeoutExpired):
            self._wire.send(End())
            self._janitor.wait(END_SECONDS)

    def kill(self) -> None:
        """Now, with all its processes; its folders are removed."""
        with suppress(OSError):
            os.close(self._lifeline)
        with suppress(subprocess.TimeoutExpired):
            self._janitor.wait(janitor.END_SECONDS)
        janitor.end_session(self._janitor.pid)  # if the janitor itself was killed
        if self._janitor.poll() is None:
            self._janitor.kill()
            self._janitor.wait()
        self._wire.close()


def _opened(log: Path) -> BinaryIO:
    """The file for what Ray prints; nowhere if the disk is full."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        return log.open("ab")
    except OSError:
        return Path(os.devnull).open("ab")


class _Relay:
    """Passes events on, and remembers which cells have ended.

    The cells that ran when a cluster was lost are told to begin once more, from their checkpoints.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._ended: set[str] = set()
        self.has_moved = False

    def take(self, event: Event) -> None:
        getattr(self._progress, event.name)(*event.arguments)
        if event.name == "trial_advanced":
            self.has_moved = True
        elif event.name == "trial_ended":
            key, outcome = event.arguments
            if outcome != INTERRUPTED:
                self._ended.add(key)
                self.has_moved = True

    def due_of(self, stacks: Sequence[tuple[Task, ...]]) -> list[tuple[Task, ...]]:
        """What has not ended."""
        left = (tuple(task for task in stack if task.key not in self._ended) for stack in stacks)
        return [stack for stack in left if stack]


class HostedExecutor:
    """Runs cells on a cluster that may be lost; used as a context.

    Args:
        order: how each host starts.
        drain: ends the waiting for a cluster that is not there yet.
        progress: is told of losses.
    """

    def __init__(self, order: Order, drain: Drain, progress: Progress) -> None:
        self._order, self._drain, self._progress = order, drain, progress
        self._host: Host | None = None
        self._losses = 0
        self.facts = Facts()

    def __enter__(self) -> Self:
        try:
            self._start()
        except _LostError as loss:
            self._start_anew(loss)
        except BaseException:
            self._kill()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del error, trace
        try:
            if self._host and kind is None:
                self._host.end()
        finally:
            self._kill()

    @property
    def slots(self) -> int:
        """Trials that ran at the same time on the cluster when it was last asked."""
        return self.facts.slots

    @property
    def gpus_per_trial(self) -> float:
        """GPUs of one trial."""
        return self.facts.gpus_per_trial

    def run(
        self, stacks: Sequence[tuple[Task, ...]], settings: LaunchSettings, progress: Progress
    ) -> None:
        """Run `stacks` until each cell has ended or the drain begins.

        Raises:
            ExecutorError, or what else ends a launch.
        """
        relay, due = _Relay(progress), list(stacks)
        while due and self._host:
            try:
                self._host.send(Run(tuple(due), settings))
                self._hear_out(self._host, relay)
                return
            except _LostError as loss:
                due = relay.due_of(due)
                self._losses = 0 if relay.has_moved else self._losses
                relay.has_moved = False
                self._start_anew(loss)

    def _hear_out(self, host: Host, relay: _Relay) -> None:
        """Events, until the host is done."""
        while True:
            match host.receive():
                case Event() as event:
                    relay.take(event)
                case Facts() as facts:
                    self.facts = facts
                    return
                case Raised(error):
                    raise error
                case Lost(reason):
                    raise _LostError(reason)
            if self._drain.is_set:
                self._drain.tell_workers()

    def _start(self) -> None:
        """A host that is ready; none if the drain begins first. Raises _LostError."""
        relay = _Relay(self._progress)
        self._host = host = Host(self._order.scratch / "ray.log")
        host.send(self._order)
        end = time.monotonic() + START_SECONDS
        while not self._drain.is_set:
            match host.receive():
                case Facts() as facts:
                    self.facts = facts
                    return
                case Event() as event:
                    relay.take(event)
                case Raised(error):
                    raise error
                case Lost(reason):
                    raise _LostError(reason)
            if time.monotonic() > end:
                raise _LostError(f"it was not there within {START_SECONDS:g} s")
        self._kill()

    def _start_anew(self, loss: _LostError) -> None:
        """Another cluster in the place of a lost one, unless it drains. Raises ClusterLostError."""
        while True:
            self._kill()
            self._losses += 1
            if self._drain.is_set:
                return
            if self._losses == MOST_LOSSES:
                raise ClusterLostError(f"the Ray cluster was lost {MOST_LOSSES} times: {loss}")
            self._progress.note(f"the Ray cluster was lost ({loss}); going on with a new one")
            try:
                self._start()
                return
            except _LostError as another:
                loss = another
            except ExecutorError as error:
                raise ClusterLostError(f"the Ray cluster was lost ({loss}), and {error}") from error

    def _kill(self) -> None:
        host, self._host = self._host, None
        if host:
            host.kill()
