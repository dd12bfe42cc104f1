"""Cells become Ray Tune trials: the cluster, and the loop that outlives an aborted run.

Tune is a disposable executor here. What is done is known to the store, so nothing of Tune's state
is kept or restored: stacks of cells go in, outcomes come out as events, and whatever is still due
goes in again.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import ray
from ray import tune
from ray._private.authentication.authentication_utils import is_token_auth_enabled
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

import orchestrator
import storage
import trainables
from orchestrator.cluster.memory_pressure import MOST_ALONE, MemoryPressure
from orchestrator.cluster.ray_home import on_loopback, ray_home, sessions
from orchestrator.cluster.trial import run_trial
from orchestrator.cluster.tune_callback import WORKER_RETRIES, Events
from orchestrator.cluster.tune_search import Feeder, Stack
from orchestrator.guard.address_space import limit_line
from orchestrator.guard.breaker import Breaker
from orchestrator.guard.compaction import kept_tidy, tidy_up
from orchestrator.guard.drain import Stopping
from orchestrator.guard.full_disk import insist
from orchestrator.progress import Progress
from orchestrator.study.resources import Resources
from orchestrator.sweep.attempt import LaunchSettings, Task
from orchestrator.sweep.errors import ExecutorError
from orchestrator.sweep.janitor import entrust
from storage.probe import is_visible

TRIALS_PER_RUN = 3000
"""Tune's bookkeeping grows with a run; the next one starts it over, and every worker's process."""

WAVES_PER_RUN = 20
"""At least so many trials a slot, since slots wait for the last trial of a run."""

FRUITLESS_RUNS = 3
"""Runs in a row that end no cell, without a node being lost, before the executor gives up."""

LONGEST_PAUSE_SECONDS = 60.0
"""Between runs while nodes are being lost."""

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


SILENT: Mapping[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}

OBJECT_STORE_BYTES = 128 * 2**20
"""Between trials nothing travels but their settings; by default Ray takes a third of the memory."""


class Executor:
    """A Ray cluster, private or joined, that runs cells as Tune trials.

    Args:
        address: of a running cluster; None starts a private one on this machine's loopback address.
        resources: what one trial takes.
        scratch: folder for Tune's bookkeeping, readable by every node; removed at the end.
        working_dir: folder with plug-ins, sent to the workers of a running cluster.
    """

    def __init__(
        self,
        address: str | None,
        resources: Resources,
        scratch: Path,
        working_dir: Path | None = None,
    ) -> None:
        self._address, self._resources, self._scratch = address, resources, scratch
        self._working_dir = working_dir
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        os.environ.update(QUIET)
        os.environ["PYTHONPATH"] = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        try:
            if self._address is None:
                self._begin_private()
            else:
                ray.init(self._address, runtime_env=self._code(), **SILENT)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            self._stack.close()
            line = limit_line(error)
            if not line and self._address is None:
                raise  # no fault of an address: the launch tries once more
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ExecutorError(line or f"cannot reach a Ray cluster: {reason}") from error
        return self

    def __exit__(self, *exception: object) -> None:
        ray.shutdown()
        self._stack.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _begin_private(self) -> None:
        """A cluster on this machine, for this launch only."""
        home = self._stack.enter_context(ray_home())
        entrust(home)
        with on_loopback() as node_address:
            ray.init(
                # For None Ray would join any cluster that `ray start` has left on this machine.
                "local",
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                _node_ip_address=node_address,
                _temp_dir=sessions(home),
                **SILENT,
            )

    def _code(self) -> dict[str, Any]:
        """What the workers of a running cluster are sent: this project, and the user's plug-ins."""
        packages = [
            str(Path(package.__path__[0])) for package in (orchestrator, storage, trainables)
        ]
        folder = {"working_dir": str(self._working_dir)} if self._working_dir else {}
        return {"py_modules": packages, **folder}

    def check_visible(self, probe: Path) -> None:
        """Ask every node for a file that this machine has just written. Raises ExecutorError."""
        if self._address is None:
            return  # on no other machine
        nodes = {node["NodeID"]: node["NodeName"] for node in ray.nodes() if node["Alive"]}
        look = ray.remote(num_cpus=0)(is_visible)
        answers = {
            name: look.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)
            ).remote(probe)
            for node, name in nodes.items()
        }
        blind = [name for name, answer in answers.items() if not ray.get(answer)]
        if blind:
            raise ExecutorError(
                f"{', '.join(blind)} cannot see {probe.parent.parent}: a cluster needs a store on "
                "a folder that all its machines share"
            )

    @property
    def is_open_to_anybody(self) -> bool:
        """Whether a joined cluster can be reached from elsewhere and asks nobody for a token."""
        addresses = [ipaddress.ip_address(node["NodeManagerAddress"]) for node in ray.nodes()]
        is_reachable = any(not address.is_loopback for address in addresses)
        return self._address is not None and is_reachable and not is_token_auth_enabled()

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
        stacks: Sequence[Stack],
        settings: LaunchSettings,
        progress: Progress,
        drain: Stopping,
    ) -> None:
        """Run `stacks` until each cell has ended or the drain begins. Raises ExecutorError."""
        if self.slots < 1:
            raise ExecutorError(
                f"a trial needs {self._resources.cpus_per_trial} CPUs and {self.gpus_per_trial:g} "
                f"GPUs at once; the cluster has {ray.cluster_resources()}"
            )
        sweep = _Sweep(settings, progress, drain)
        crowded_out = self._run_all(sweep, stacks, self.gpus_per_trial)
        if crowded_out:
            progress.note(f"{len(crowded_out)} cells found no room beside others on a GPU; now one")
            self._run_all(sweep, [(task,) for task in crowded_out], 1.0)
        for loss, count in sweep.breaker.held_back.items():
            progress.note(f"{count} cells of loss {loss} were not started: they all fail alike")

    def _run_all(self, sweep: _Sweep, stacks: Sequence[Stack], gpus: float) -> list[Task]:
        """Run after run. Returns the cells that need a whole GPU each. Raises ExecutorError."""
        due, crowded_out = list(stacks), dict[str, Task]()
        fruitless = pause = 0
        pressure = MemoryPressure(self._resources.max_concurrent)
        while due and not sweep.drain.is_set:
            size = max(TRIALS_PER_RUN, WAVES_PER_RUN * self.slots)
            with kept_tidy(sweep.store, sweep.progress.note):
                events = self._run_chunk(sweep, due[:size], gpus, pressure.limit)
            tidy_up(sweep.store, sweep.progress.note)
            crowded_out |= events.crowded_out
            settled = {*events.ended, *crowded_out}
            due = sweep.without(settled, due)
            if events.shortage:
                _ease(sweep, pressure, events.shortage, self.slots, has_settled=bool(settled))
                continue
            pause = pause + 1 if events.has_lost_nodes and not settled else 0
            fruitless = 0 if settled or pause else fruitless + 1
            if fruitless == FRUITLESS_RUNS:
                raise ExecutorError(f"{FRUITLESS_RUNS} runs in a row ended without a single cell")
            _rest(sweep.drain, min(LONGEST_PAUSE_SECONDS, 2.0**pause - 1))
        return list(crowded_out.values())

    def _run_chunk(
        self, sweep: _Sweep, stacks: Sequence[Stack], gpus: float, limit: int | None
    ) -> Events:
        """One Tune run, whatever becomes of it."""
        events = Events(stacks, sweep.settings, sweep.progress, sweep.breaker, gpus)
        feeder = Feeder(
            stacks, sweep.settings, sweep.drain, sweep.breaker, limit, lambda: bool(events.shortage)
        )
        tuner = insist(  # it writes a file of its own at once
            lambda: self._tuner(events, feeder, gpus),
            on_wait=lambda reason: sweep.progress.note(
                f"waiting for room to begin a run: {reason}"
            ),
            should_stop=lambda: sweep.drain.is_set,
        )
        try:
            tuner.fit()
        except (RuntimeError, ray.exceptions.RayError, tune.TuneError) as error:
            # Ray's memory monitor, for one, aborts the whole run when it ends a single worker.
            events.run_ended(error)
        return events

    def _tuner(self, events: Events, feeder: Feeder, gpus: float) -> tune.Tuner:
        return tune.Tuner(
            tune.with_resources(run_trial, {"cpu": self._resources.cpus_per_trial, "gpu": gpus}),
            tune_config=tune.TuneConfig(
                search_alg=feeder,
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


@dataclass(frozen=True)
class _Sweep:
    """What all runs of a phase share."""

    settings: LaunchSettings
    progress: Progress
    drain: Stopping
    breaker: Breaker = field(default_factory=Breaker)

    @property
    def store(self) -> Path:
        return Path(self.settings.store)

    def without(self, settled: set[str], stacks: Sequence[Stack]) -> list[Stack]:
        """The cells of `stacks` that are still to be run."""
        left = (
            tuple(
                task
                for task in stack
                if task.key not in settled and not self.breaker.is_open(task.loss)
            )
            for stack in stacks
        )
        return [stack for stack in left if stack]


def _ease(
    sweep: _Sweep, pressure: MemoryPressure, reason: str, slots: int, *, has_settled: bool
) -> None:
    """Wait for memory, then go on with fewer trials at once. Raises ExecutorError."""
    seconds = pressure.met(slots, has_settled=has_settled)
    if pressure.is_hopeless:
        raise ExecutorError(
            f"{reason}, {MOST_ALONE} times in a row with one trial at a time: a cell needs more "
            "memory than there is; what has landed stays, and the same command goes on"
        )
    trials = "1 trial" if pressure.limit == 1 else f"{pressure.limit} trials"
    sweep.progress.note(f"{reason}; after {seconds:g} s no more than {trials} at once")
    _rest(sweep.drain, seconds)


def _rest(drain: Stopping, seconds: float) -> None:
    """Wait, but not through the beginning of a drain."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not drain.is_set:
        time.sleep(0.2)
