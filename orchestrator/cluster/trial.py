"""Cells on a worker: the only place where Tune and the training function meet.

A trial trains one cell, or a stack of them, turns results into rows of the store and lands them
before its last report, so a result survives the driver. A worker runs many trials after one
another; nothing is kept between them but the resident data sets. Knows nothing of studies, plans
or tables.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrator.cluster.exits import exits_as_errors
from orchestrator.guard.full_disk import insist
from orchestrator.guard.watchdog import Watchdog
from orchestrator.sweep.attempt import (
    LaunchSettings,
    Task,
    failed_attempt,
    finished_attempt,
)
from storage.attempt import Attempt
from storage.checking.content import ContentError
from storage.landing import Landing, has_result, land_attempt
from storage.schema import Outcome
from trainables.config import EpochRecord, TrainingConfig, TrainingResult

INTERRUPTED = "interrupted"
"""Reported when a drain stopped the cell at a checkpoint; not an outcome, the cell is still due."""

HANG_EXIT_CODE = 70
UNCLEAN_EXIT_CODE = 71
HANG_GRACE_SECONDS = 30.0
"""For noting a hang in the store, which may be what hangs."""


@dataclass(frozen=True)
class Ended:
    """How one cell of a trial ended.

    Args:
        key: of the cell.
        outcome: as in the store, or INTERRUPTED.
        conflicts: curve columns that differ from a result landed before.
        error_class, error_message, error_trace: of a failure.
    """

    key: str
    outcome: str
    conflicts: tuple[str, ...] = ()
    error_class: str | None = None
    error_message: str | None = None
    error_trace: str | None = None


SPOILED = ("contradiction", "global_state")
"""Failures whose checkpoints hold what should not have been trained."""


class Listener:
    """Hears how a trial fares; this one does nothing with it."""

    def epoch_ended(self, key: str, epoch: int) -> None:
        """A cell has finished so many epochs."""

    def waits_for_room(self, reason: str) -> None:
        """A result cannot be written because the disk is full."""

    def note(self, text: str) -> None:
        """Something was put right that its author should know of."""


def checkpoint_path(store: Path, key: str) -> Path:
    """Where the mid-cell checkpoint of a cell lies."""
    return store / "checkpoints" / f"{key}.pt"


def run_trial(parameters: dict[str, Any]) -> dict[str, Any]:
    """Tune's trainable: run the cells in `parameters` and report how each ended."""
    from ray import tune

    from trainables.training.process import return_to_clean_state

    if return_to_clean_state():
        os._exit(UNCLEAN_EXIT_CODE)
    settings = LaunchSettings(**parameters["settings"])
    tasks = [Task(**task) for task in parameters["tasks"]]
    ended = run_cells(tasks, settings, _Heartbeat(tune.report, settings.report_seconds))
    return {"ended": [asdict(entry) for entry in ended]}


def run_cells(
    tasks: Sequence[Task],
    settings: LaunchSettings,
    listener: Listener | None = None,
) -> list[Ended]:
    """Train cells as one stack and land an attempt for each.

    A stack must not decide the fate of its members: if it fails, its halves are tried; if it cannot
    be one, each of them.
    """
    listener = listener or Listener()
    started = datetime.now(UTC)
    landed = {
        task.key for task in tasks if has_result(Path(settings.store), task.key, task.edition)
    }
    if landed:  # by another driver, in the meantime
        left = [task for task in tasks if task.key not in landed]
        done = [Ended(key, Outcome.FINISHED.value) for key in landed]
        return [*done, *(run_cells(left, settings, listener) if left else [])]
    outcome = _train(tasks, settings, listener)
    if isinstance(outcome, list):
        results = zip(tasks, outcome, strict=True)
        return [_land_result(*pair, settings, started, listener) for pair in results]
    if outcome is None:
        return [Ended(task.key, INTERRUPTED) for task in tasks]
    if len(tasks) == 1:
        return [_land_failure(tasks[0], outcome, settings, started, listener)]
    parts = _parts(tasks, outcome, listener)
    return [ended for part in parts for ended in run_cells(part, settings, listener)]


def _parts(tasks: Sequence[Task], error: Exception, listener: Listener) -> Sequence[Sequence[Task]]:
    """What a stack that gave no result is cut into."""
    from trainables.training.stackable import StackError

    if isinstance(error, StackError):
        listener.note(f"{error}; its cells are trained alone")
        return [[task] for task in tasks]
    half = len(tasks) // 2
    return tasks[:half], tasks[half:]


def _train(
    tasks: Sequence[Task], settings: LaunchSettings, listener: Listener
) -> list[TrainingResult] | Exception | None:
    """Results, the error that prevented them, or None after an interruption.

    A cell whose process is not the clean one is not trained there: it is still due.
    """
    import torch

    from trainables.training.process import return_to_clean_state, set_up_process
    from trainables.training.train import TrainingInterrupted, train_stack

    if return_to_clean_state():
        return None
    set_up_process(settings.threads)
    watchdog = Watchdog(
        lambda seconds: _end_hanging(tasks, settings, seconds),
        first_epoch_seconds=settings.first_epoch_seconds,
        floor_seconds=settings.hang_seconds,
    )

    def epoch_ended(member: int, record: EpochRecord) -> None:
        if member == 0:
            watchdog.epoch_ended()
        listener.epoch_ended(tasks[member].key, record.epoch)

    def should_stop() -> bool:
        watchdog.step_ended()
        return Path(settings.drain_file).exists()

    try:
        with watchdog, exits_as_errors():
            return train_stack(
                [TrainingConfig.from_dict(task.config) for task in tasks],
                data_root=Path(settings.data_root),
                device=settings.device,
                checkpoint_paths=[checkpoint_path(Path(settings.store), t.key) for t in tasks],
                checkpoint_seconds=settings.checkpoint_seconds,
                on_epoch=epoch_ended,
                should_stop=should_stop,
                on_note=listener.note,
            )
    except TrainingInterrupted:
        return None
    except Exception as error:  # noqa: BLE001 - the trial's edge: any failure becomes an outcome
        if settings.device != "cpu":
            torch.cuda.empty_cache()
        return error


def _land_result(
    task: Task,
    result: TrainingResult,
    settings: LaunchSettings,
    started: datetime,
    listener: Listener,
) -> Ended:
    from trainables.training.checkpoint import discard

    attempt = finished_attempt(task, settings, started, result)
    try:
        landing = _land(settings, attempt, listener)
    except ContentError as error:  # numbers that cannot be true: nothing to keep but the failure
        return _land_failure(task, error, settings, started, listener)
    discard(checkpoint_path(Path(settings.store), task.key))
    return Ended(task.key, attempt.outcome, landing.conflicts)


def _land_failure(
    task: Task, error: Exception, settings: LaunchSettings, started: datetime, listener: Listener
) -> Ended:
    from trainables.training.checkpoint import discard

    attempt = failed_attempt(task, settings, started, error)
    _land(settings, attempt, listener)
    if attempt.error_class in SPOILED:
        discard(checkpoint_path(Path(settings.store), task.key))
    return Ended(
        task.key,
        attempt.outcome,
        error_class=attempt.error_class,
        error_message=attempt.error_message,
        error_trace=attempt.error_trace,
    )


def _land(settings: LaunchSettings, attempt: Attempt, listener: Listener) -> Landing:
    """Land an attempt, waiting for room if the disk is full."""
    return insist(
        lambda: land_attempt(Path(settings.store), attempt),
        on_wait=listener.waits_for_room,
        should_stop=Path(settings.drain_file).exists,
    )


def _end_hanging(tasks: Sequence[Task], settings: LaunchSettings, seconds: float) -> None:
    """Note the hang and end this process; whoever started it tries the cells again."""
    last_resort = threading.Timer(HANG_GRACE_SECONDS, os._exit, [HANG_EXIT_CODE])
    last_resort.daemon = True
    last_resort.start()
    hang = TimeoutError(f"no epoch ended for {seconds:.0f} s")
    try:
        for task in tasks:
            attempt = failed_attempt(task, settings, datetime.now(UTC), hang, "hang")
            land_attempt(Path(settings.store), attempt)
    finally:
        os._exit(HANG_EXIT_CODE)


class _Heartbeat(Listener):
    """Passes epochs on to Tune, now and then: its loop is built for few reports."""

    def __init__(self, report: Callable[[dict[str, Any]], None], seconds: float) -> None:
        self._report, self._seconds = report, seconds
        self._due = time.monotonic() + seconds
        self._epochs: dict[str, int] = {}

    def epoch_ended(self, key: str, epoch: int) -> None:
        self._epochs[key] = epoch
        now = time.monotonic()
        if now >= self._due:
            self._due = now + self._seconds
            self._report({"epochs": dict(self._epochs)})

    def waits_for_room(self, reason: str) -> None:
        self._report({"waiting": reason})

    def note(self, text: str) -> None:
        self._report({"note": text})
