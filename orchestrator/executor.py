"""Cells become Ray Tune trials: the cluster, the feeder, the loop that outlives an aborted run.

Tune is a disposable executor here. What is done is known to the store, so nothing of Tune's state
is kept or restored: cells go in, outcomes come out as events, and whatever is still due goes in
again. Besides `trial.py` this is the only file that knows Ray.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import ray
from ray import tune
from ray.tune.experiment.config_parser import _create_trial_from_spec, _make_parser
from ray.tune.search.search_algorithm import SearchAlgorithm

from orchestrator.drain import Drain
from orchestrator.errors import ExecutorError
from orchestrator.packing import Resources
from orchestrator.progress import ProgressView
from orchestrator.trial import INTERRUPTED, LaunchSettings, Task, failed_attempt, run_trial
from storage.compaction import compact
from storage.landing import land_attempt
from storage.schema import Outcome
from storage.store import Store

CELLS_PER_RUN = 500
"""Tune's bookkeeping and the store's small files grow with a run; after each, both start over."""

WORKER_RETRIES = 3
"""How often a cell may lose its worker within one launch before it counts as failed."""

FRUITLESS_RUNS = 3
"""Runs in a row that end no cell before the executor gives up."""

LOOPBACK = "127.0.0.2"
"""Ray replaces 127.0.0.1 by the machine's outward address; this loopback address it keeps."""

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",
    "TUNE_GLOBAL_CHECKPOINT_S": "3600",
}
"""Ray's own console, loggers, signal handler and snapshots, all replaced by ours."""


class Executor:
    """A Ray cluster, private or joined, that runs cells as Tune trials.

    Args:
        address: of a running cluster; None starts a private one on this machine's loopback address.
        resources: what one trial takes.
        scratch: folder for Tune's bookkeeping, readable by every node; removed at the end.
    """

    def __init__(self, address: str | None, resources: Resources, scratch: Path) -> None:
        self._address, self._resources, self._scratch = address, resources, scratch

    def __enter__(self) -> Self:
        os.environ.update(QUIET)
        os.environ["PYTHONPATH"] = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        private = {"_node_ip_address": LOOPBACK} if sys.platform == "linux" else {}
        try:
            ray.init(
                address=self._address,
                include_dashboard=False if self._address is None else None,
                log_to_driver=False,
                logging_level="ERROR",
                **(private if self._address is None else {}),
            )
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise ExecutorError(f"cannot reach a Ray cluster: {error}") from error
        return self

    def __exit__(self, *exception: object) -> None:
        ray.shutdown()
        shutil.rmtree(self._scratch, ignore_errors=True)

    @property
    def gpus_per_trial(self) -> float:
        """GPUs of one trial: as asked, or one where the cluster has any."""
        if self._resources.gpus_per_trial == "auto":
            return 1.0 if ray.cluster_resources().get("GPU", 0) >= 1 else 0.0
        return float(self._resources.gpus_per_trial)

    @property
    def slots(self) -> int:
        """Trials that run at the same time on the cluster as it is now."""
        total = ray.cluster_resources()
        by_cpu = total.get("CPU", 0) / self._resources.cpus_per_trial
        by_gpu = total.get("GPU", 0) / self.gpus_per_trial if self.gpus_per_trial else by_cpu
        limit = self._resources.max_concurrent or sys.maxsize
        return int(min(by_cpu, by_gpu, limit))

    def run(
        self,
        tasks: Sequence[Task],
        settings: LaunchSettings,
        progress: ProgressView,
        drain: Drain,
    ) -> None:
        """Run `tasks` until each has ended or the drain begins. Raises ExecutorError."""
        if self.slots < 1:
            raise ExecutorError(
                f"a trial needs {self._resources.cpus_per_trial} CPUs and {self.gpus_per_trial:g} "
                f"GPUs at once; the cluster has {ray.cluster_resources()}"
            )
        due = {task.key: task for task in tasks}
        fruitless = 0
        while due and not drain.is_set:
            chunk = list(due.values())[:CELLS_PER_RUN]
            ended = self._run_chunk(chunk, settings, progress, drain)
            compact(settings.store)
            for key in ended:
                del due[key]
            fruitless = 0 if ended else fruitless + 1
            if fruitless == FRUITLESS_RUNS:
                raise ExecutorError(f"{FRUITLESS_RUNS} runs in a row ended without a single cell")

    def _run_chunk(
        self,
        tasks: Sequence[Task],
        settings: LaunchSettings,
        progress: ProgressView,
        drain: Drain,
    ) -> set[str]:
        """One Tune run. Returns the keys that ended, whatever became of the run itself."""
        events = _Events(tasks, settings, progress)
        tuner = tune.Tuner(
            tune.with_resources(
                run_trial,
                {"cpu": self._resources.cpus_per_trial, "gpu": self.gpus_per_trial},
            ),
            tune_config=tune.TuneConfig(
                search_alg=CellFeeder(tasks, settings, drain, self._resources.max_concurrent),
                reuse_actors=True,
                trial_dirname_creator=lambda trial: trial.trial_id,
            ),
            run_config=tune.RunConfig(
                name=f"run-{datetime.now(UTC):%H%M%S%f}",
                storage_path=str(self._scratch.resolve()),
                verbose=0,
                callbacks=[events],
                failure_config=tune.FailureConfig(max_failures=WORKER_RETRIES),
            ),
        )
        try:
            tuner.fit()
        except (RuntimeError, ray.exceptions.RayError, tune.TuneError) as error:
            # Ray's memory monitor, for one, aborts the whole run when it ends a single worker.
            progress.note(f"Ray ended the run ({_first_line(error)}); going on with what is due")
            events.end_landed()
        return events.ended


class NotKept:
    """Tune pickles an experiment to restore it later; nothing of our parts needs to be kept."""

    def __getstate__(self) -> dict[str, object]:
        return {}


class CellFeeder(NotKept, SearchAlgorithm):  # type: ignore[misc]
    """Emits one resolved trial per task, in order; linear, unlike a grid over dictionaries."""

    def __init__(
        self,
        tasks: Sequence[Task],
        settings: LaunchSettings,
        drain: Drain,
        max_concurrent: int | None,
    ) -> None:
        self._tasks = iter(tasks)
        self._settings, self._drain = asdict(settings), drain
        self._room = max_concurrent or sys.maxsize
        self._spec: dict[str, Any] = {}
        self._parser = _make_parser()

    def add_configurations(self, experiments: Any) -> None:
        """Called once by Tune with the experiment whose specification every trial shares."""
        (experiment,) = experiments
        self._spec = experiment.spec

    def next_trial(self) -> Any:
        """The next trial; None while there is no room, and for good when all are out."""
        if self._drain.is_set:
            self.set_finished()
        if self.is_finished() or self._room == 0:
            return None
        task = next(self._tasks, None)
        if task is None:
            self.set_finished()
            return None
        self._room -= 1
        parameters = {"task": asdict(task), "settings": self._settings}
        return _create_trial_from_spec(
            {**self._spec, "config": parameters},
            self._parser,
            trial_id=task.key[:16],
            evaluated_params={"key": task.key},
        )

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """A trial left: one more may run."""
        del trial_id, result, error
        self._room += 1


class _Events(NotKept, tune.Callback):  # type: ignore[misc]
    """Tune's callbacks → progress events; a cell that lost its worker too often lands as failed."""

    def __init__(
        self, tasks: Sequence[Task], settings: LaunchSettings, progress: ProgressView
    ) -> None:
        self._tasks = {task.key[:16]: task for task in tasks}
        self._settings, self._progress = settings, progress
        self.ended: set[str] = set()

    def on_trial_start(self, trial: Any, **_: Any) -> None:
        self._progress.trial_started(self._key(trial))

    def on_trial_result(self, trial: Any, result: dict[str, Any], **_: Any) -> None:
        if "outcome" not in result:
            self._progress.trial_advanced(self._key(trial), result.get("epoch", 0))

    def on_trial_recover(self, trial: Any, **_: Any) -> None:
        self._progress.trial_retried(self._key(trial))

    def on_trial_complete(self, trial: Any, **_: Any) -> None:
        result: Mapping[str, Any] = trial.last_result or {}
        if conflicts := result.get("conflicts"):
            self._progress.note(
                f"  cell {self._key(trial)[:12]}: this run differs from the landed one in "
                f"{', '.join(conflicts)}; the landed one stays"
            )
        self._end(self._key(trial), result.get("outcome", INTERRUPTED))

    def on_trial_error(self, trial: Any, **_: Any) -> None:
        task = self._tasks[trial.trial_id]
        lost = RuntimeError(f"the worker was lost {WORKER_RETRIES + 1} times")
        attempt = failed_attempt(task, self._settings, datetime.now(UTC), lost, "worker_died")
        land_attempt(Path(self._settings.store), attempt)
        self._end(task.key, Outcome.FAILED.value)

    def end_landed(self) -> None:
        """After an aborted run: what the store holds has ended, though its event may be lost."""
        landed = {state.key: state.outcome for state in Store(self._settings.store).states()}
        for task in self._tasks.values():
            outcome = landed.get(task.key)
            if task.key not in self.ended and outcome is not None and Outcome(outcome).is_result:
                self._end(task.key, outcome)

    def _end(self, key: str, outcome: str) -> None:
        if outcome != INTERRUPTED:
            self.ended.add(key)
        self._progress.trial_ended(key, outcome)

    def _key(self, trial: Any) -> str:
        return self._tasks[trial.trial_id].key


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
