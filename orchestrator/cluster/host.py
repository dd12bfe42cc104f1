"""The process in which Ray lives, apart from the launch: it may be lost, and another one started.

Ray's C++ core waits for ever, ends its process or fills the terminal when a cluster dies under it.
So it gets a process that the launch can do without: orders come over a connection, events go back,
and what is printed here goes to a file. Signals are the launch's affair.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
import traceback
from contextlib import ExitStack, suppress
from typing import Any

from orchestrator.guard.drain import DrainFile
from orchestrator.progress import Progress, SharedProgress
from orchestrator.sweep.errors import ExecutorError
from orchestrator.sweep.janitor import entrust
from orchestrator.sweep.wire import Beat, End, Event, Facts, Lost, Order, Raised, Run, Wire

BEAT_SECONDS = 2.0
LOST_EXIT_CODE = 1


class Telling(Progress):
    """Passes every event on to the launch."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def note(self, message: str) -> None:
        self._tell("note", message)

    def trial_started(self, key: str) -> None:
        self._tell("trial_started", key)

    def trial_advanced(self, key: str, epoch: int) -> None:
        self._tell("trial_advanced", key, epoch)

    def trial_retried(self, key: str) -> None:
        self._tell("trial_retried", key)

    def trial_ended(self, key: str, outcome: str) -> None:
        self._tell("trial_ended", key, outcome)

    def _tell(self, name: str, *arguments: Any) -> None:
        self._wire.send(Event(name, arguments))


def main() -> None:
    """Serve the launch at the other end of the connection until it is content or gone."""
    wire = Wire(int(sys.argv[1]))
    threading.Thread(target=_beat, args=[wire], name="beat", daemon=True).start()
    try:
        _serve(wire, wire.receive())
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the launch is gone
    except Exception as error:  # noqa: BLE001 - the process's edge: the launch shall know
        wire.send(Raised(_portable(error)))


def _serve(wire: Wire, order: Order) -> None:
    from orchestrator.cluster.executor import Executor
    from orchestrator.cluster.liveness import find_head, first_line, watch
    from orchestrator.cluster.trackers import trackers_of

    entrust(order.scratch)
    address = find_head(order.address) if order.address else None
    executor = Executor(address, order.resources, order.scratch, order.working_dir)
    with ExitStack() as stack:
        try:
            stack.enter_context(executor)
        except Exception as error:
            if order.address or isinstance(error, ExecutorError):
                raise
            _give_up(wire, f"it did not start: {first_line(error)}")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # Ray has put its own in their place
        watch(lambda reason: _give_up(wire, reason))
        executor.check_visible(order.probe)
        telling = Telling(wire)
        trackers = trackers_of(order.trackers, order.study, order.store, telling.note)
        for tracker in trackers:  # which may need Ray, so they end before it
            stack.enter_context(tracker)
        listeners = SharedProgress([telling, *trackers])
        wire.send(_facts(executor))
        while not isinstance(request := wire.receive(), End):
            assert isinstance(request, Run)
            executor.run(request.stacks, request.settings, listeners, DrainFile(order.drain_file))
            wire.send(_facts(executor))


def _facts(executor: Any) -> Facts:
    return Facts(executor.slots, executor.gpus_per_trial, executor.is_open_to_anybody)


def _give_up(wire: Wire, reason: str) -> None:
    """Nothing of Ray can be asked any more, so nothing is."""
    with suppress(OSError):
        wire.send(Lost(reason))
    os._exit(LOST_EXIT_CODE)


def _beat(wire: Wire) -> None:
    with suppress(OSError):
        while True:
            wire.send(Beat())
            time.sleep(BEAT_SECONDS)


def _portable(error: Exception) -> Exception:
    """The error itself if it can travel, else its trace as text."""
    trace = traceback.format_exc()
    try:
        if type(pickle.loads(pickle.dumps(error))) is type(error):  # noqa: S301 - our own
            if not isinstance(error, ExecutorError):
                error.add_note(trace)
            return error
    except Exception:  # noqa: BLE001 - whatever its class makes of pickling
        pass
    return RuntimeError(trace)


if __name__ == "__main__":
    main()
