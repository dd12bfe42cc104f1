"""What Tune reports of its trials → progress, and which cells ended how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ray import tune

from orchestrator.cluster.trial import INTERRUPTED, Ended
from orchestrator.cluster.tune_search import NotKept, Stack, trial_id
from orchestrator.cluster.worker_loss import (
    Loss,
    LossKind,
    kernel_kills,
    latest_failure,
    loss_of,
    memory_text,
)
from orchestrator.guard.breaker import Breaker
from orchestrator.progress import Progress
from orchestrator.sweep.attempt import LaunchSettings, Task, failed_attempt
from storage.landing import land_attempt
from storage.schema import Outcome
from storage.store import Store

TOLD = ("global_state", "contradiction")
"""Failures whose message says it all; of an exception the trace is shown."""

WORKER_RETRIES = 3
"""How often a trial may lose its worker within one run before its cells count as failed."""


class Events(NotKept, tune.Callback):  # type: ignore[misc]
    """Callbacks of one run.

    Args:
        stacks: of the run.
        settings, progress, breaker: of the launch.
        gpus: share of a GPU that a trial has.
    """

    def __init__(
        self,
        stacks: Sequence[Stack],
        settings: LaunchSettings,
        progress: Progress,
        breaker: Breaker,
        gpus: float,
    ) -> None:
        self._stacks = {trial_id(stack): stack for stack in stacks}
        self._tasks = {task.key: task for stack in stacks for task in stack}
        self._settings, self._progress, self._breaker = settings, progress, breaker
        self._shares_gpu = 0 < gpus < 1
        self._traces: set[str] = set()
        self._notes: set[str] = set()
        self.ended: set[str] = set()
        self.crowded_out: dict[str, Task] = {}
        self.has_lost_nodes = False
        self.shortage = ""
        self._kernel_kills = kernel_kills()

    def on_trial_start(self, trial: Any, **_: Any) -> None:
        for task in self._stack(trial):
            self._progress.trial_started(task.key)

    def on_trial_result(self, trial: Any, result: dict[str, Any], **_: Any) -> None:
        del trial
        for key, epoch in result.get("epochs", {}).items():
            self._progress.trial_advanced(key, epoch)
        if "waiting" in result:
            self._progress.note(f"waiting for room to write a result: {result['waiting']}")
        if "note" in result and result["note"] not in self._notes:
            self._notes.add(result["note"])
            self._progress.note(result["note"])

    def on_trial_recover(self, trial: Any, **_: Any) -> None:
        if self._loss(trial).kind is LossKind.MEMORY:
            # Once more, for memory comes and goes; then the run ends, and fewer go on.
            trial.max_failures = trial.num_failures
        self._progress.trial_retried(self._stack(trial)[0].key)

    def on_trial_complete(self, trial: Any, **_: Any) -> None:
        result: Mapping[str, Any] = trial.last_result or {}
        entries = [Ended(**entry) for entry in result.get("ended", ())]
        reported = {entry.key for entry in entries}
        silent = [task for task in self._stack(trial) if task.key not in reported]
        for entry in (*entries, *(Ended(task.key, INTERRUPTED) for task in silent)):
            self._take(entry)

    def on_trial_error(self, trial: Any, **_: Any) -> None:
        """A trial lost its worker too often: of a lost node or memory it is not the fault."""
        loss = self._loss(trial)
        is_fault = loss.kind is LossKind.WORKER
        self.has_lost_nodes |= loss.kind is LossKind.NODE
        text = f"{loss.text} {WORKER_RETRIES + 1} times" if is_fault else loss.text
        for task in self._stack(trial):
            attempt = failed_attempt(
                task, self._settings, datetime.now(UTC), RuntimeError(text), loss.kind.value
            )
            land_attempt(Path(self._settings.store), attempt)
            self._end(task.key, Outcome.FAILED.value if is_fault else INTERRUPTED)

    def run_ended(self, error: BaseException) -> None:
        """Ray has aborted the run: what the store holds has ended, though its event may be lost."""
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        if text := memory_text(error):
            self.shortage = text
        else:
            self._progress.note(f"Ray ended the run ({reason}); going on with what is due")
        self.end_landed()

    def _loss(self, trial: Any) -> Loss:
        text = latest_failure(trial.error_file)
        kills = kernel_kills() - self._kernel_kills
        loss = loss_of(trial.get_pickled_error(), text, kills)
        if loss.kind is LossKind.MEMORY:
            self.shortage = loss.text
        if loss.kind is LossKind.WORKER and self.shortage:
            return Loss(LossKind.MEMORY, self.shortage)  # likely, and never the fault of a cell
        return loss

    def end_landed(self) -> None:
        """Take what the store holds for ended."""
        results = Store(self._settings.store).known.results
        for key, task in self._tasks.items():
            newest = next(iter(results.get(key, ())), None)
            if key not in self.ended and newest and newest.edition >= task.edition:
                self._end(key, newest.outcome)

    def _take(self, entry: Ended) -> None:
        if entry.conflicts:
            self._progress.note(
                f"  cell {entry.key[:12]}: this run differs from the landed one in "
                f"{', '.join(entry.conflicts)}; the landed one stays, this one is kept beside it"
            )
        if entry.error_class == "out_of_memory" and self._shares_gpu:
            self.crowded_out[entry.key] = self._tasks[entry.key]
            self._progress.trial_ended(entry.key, INTERRUPTED)
            return
        if entry.error_class == "exception" and entry.error_trace:
            self._note_failure(entry.key, entry.error_trace)
        if entry.error_class in TOLD and entry.error_message:
            self._note_failure(entry.key, entry.error_message)
        self._end(entry.key, entry.outcome)

    def _note_failure(self, key: str, trace: str) -> None:
        """Each trace, or message, is told once, by its last line."""
        loss = self._tasks[key].loss
        if trace not in self._traces:
            self._traces.add(trace)
            words = trace.strip().splitlines()[-1]
            note = f"a cell of loss {loss} failed: {words} (`orchestrator logs {key[:12]}`)"
            self._progress.note(note)
        if self._breaker.record(loss, trace):
            self._progress.note(f"cells of loss {loss} all fail alike: no more of them are started")

    def _end(self, key: str, outcome: str) -> None:
        if outcome != INTERRUPTED:
            self.ended.add(key)
        self._progress.trial_ended(key, outcome)

    def _stack(self, trial: Any) -> Stack:
        return self._stacks[trial.trial_id]
