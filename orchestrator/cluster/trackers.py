"""Trackers, all optional: each result as it landed, epoch by epoch, through Ray's own callbacks.

A tracker hears of a cell when it has ended and reads it from the store, in a thread of its own, so
neither its errors nor its delays reach a trial, and the store stays the only record that counts.
"""

from __future__ import annotations

import json
import math
import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from orchestrator.progress import Progress
from storage.schema import METRICS
from storage.store import Store

FIGURES = tuple(name.removeprefix("epoch_") for name in METRICS)
"""What a tracker gets of each epoch: every metric, under its name in the view `epochs`."""

LAST_WORDS_SECONDS = 30.0
"""For what is still to be logged at the end of a launch."""


@dataclass(eq=False)
class CellRun:
    """One cell in the place of a Tune trial: what Ray's callbacks ask of one.

    Args:
        trial_id: start of the cell's key.
        name: shown by the tracker.
        config: the cell, as in the store.
        experiment_dir_name: of the study; W&B groups by it.
        local_path: folder for files of the tracker.
    """

    trial_id: str
    name: str
    config: dict[str, Any]
    experiment_dir_name: str
    local_path: str
    evaluated_params: dict[str, Any] = field(default_factory=dict)

    def init_local_path(self) -> None:
        """Create the folder."""
        Path(self.local_path).mkdir(parents=True, exist_ok=True)

    def __str__(self) -> str:
        return self.name


class Callback(Protocol):
    """Ray's `LoggerCallback`, as far as it is needed here."""

    def setup(self) -> None: ...

    def log_trial_start(self, trial: Any) -> None: ...

    def log_trial_result(self, iteration: int, trial: Any, result: dict[str, Any]) -> None: ...

    def log_trial_end(self, trial: Any, failed: bool = False) -> None: ...

    def on_experiment_end(self, trials: list[Any]) -> None: ...


class Tracker(Progress):
    """Logs the results of a launch.

    Args:
        name: of the tracker.
        callback: not set up yet.
        study: its name.
        store: where results are read.
        note: one line for the user.
    """

    def __init__(
        self,
        name: str,
        callback: Callback,
        study: str,
        store: Path,
        note: Callable[[str], None],
    ) -> None:
        self._name, self._callback, self._study, self._store = name, callback, study, store
        self._note = note
        self._ended: queue.Queue[str | None] = queue.Queue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def trial_ended(self, key: str, outcome: str) -> None:
        del outcome
        self._ended.put(key)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.put(None)
        self._thread.join(LAST_WORDS_SECONDS)
        if self._thread.is_alive():
            self._note(f"{self._name} is still busy; what it has not taken it will not get")

    def _work(self) -> None:
        try:
            self._callback.setup()
            for keys in self._batches():
                for run, epochs in read_runs(self._store, self._study, keys):
                    self._log(run, epochs)
            self._callback.on_experiment_end(trials=[])
        except Exception as error:  # noqa: BLE001 - a tracker is no part of the study
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            self._note(f"{self._name} failed and is left out from here: {reason}")

    def _batches(self) -> Iterator[list[str]]:
        """The cells that have ended since the last look, until the launch ends."""
        while (key := self._ended.get()) is not None:
            keys = [key]
            while not self._ended.empty():
                if (another := self._ended.get()) is None:
                    yield keys
                    return
                keys.append(another)
            yield keys

    def _log(self, run: CellRun, epochs: list[dict[str, Any]]) -> None:
        run.init_local_path()
        self._callback.log_trial_start(run)
        for figures in epochs:
            self._callback.log_trial_result(figures["training_iteration"], run, figures)
        self._callback.log_trial_end(run)


def read_runs(
    root: Path, study: str, keys: list[str]
) -> list[tuple[CellRun, list[dict[str, Any]]]]:
    """Those of `keys` that have a result, each with the figures of its epochs."""
    store = Store(root, read_only=True)
    columns = ("key", "config", "dataset", "loss", "noise", "noise_rate", "seed")
    rows = store.sql(f"select {', '.join(columns)} from cells where list_contains(?, key)", [keys])
    found = []
    for row in rows.fetchall():
        cell = dict(zip(columns, row, strict=True))
        trial_id = cell["key"][:12]
        name = _run_name(cell)
        folder = root.resolve() / "trackers" / study / f"{name.replace(' ', '_')}-{trial_id}"
        run = CellRun(trial_id, name, json.loads(cell["config"]), study, str(folder))
        found.append((run, _epochs(store, cell["key"])))
    return found


def _run_name(cell: Mapping[str, Any]) -> str:
    """`cifar10 gce symmetric 0.4 seed 0`, without a rate where the noise has none."""
    rate = [] if cell["noise_rate"] is None else [f"{cell['noise_rate']:g}"]
    parts = (cell["dataset"], cell["loss"], cell["noise"], *rate, f"seed {cell['seed']}")
    return " ".join(parts)


def _epochs(store: Store, key: str) -> list[dict[str, Any]]:
    """Figures of each epoch under their names in the store; what is not finite is left out."""
    answer = store.sql(
        f"select epoch as training_iteration, {', '.join(FIGURES)} "
        "from epochs where key = ? order by epoch",
        [key],
    )
    return [
        {
            name: value
            for name, value in zip(answer.columns, row, strict=True)
            if isinstance(value, int | float) and math.isfinite(value)
        }
        for row in answer.fetchall()
    ]


def trackers_of(
    names: Sequence[str], study: str, store: Path, note: Callable[[str], None]
) -> list[Tracker]:
    """Trackers by their names; some need Ray."""
    return [Tracker(name, _callback(name, study), study, store, note) for name in names]


def _callback(name: str, study: str) -> Callback:
    """Ray's callback; MLflow and W&B take server, project and key from their own variables."""
    callback: Callback
    if name == "tensorboard":
        from ray.tune.logger.tensorboardx import TBXLoggerCallback

        callback = TBXLoggerCallback()
    elif name == "mlflow":
        from ray.air.integrations.mlflow import MLflowLoggerCallback

        uri = os.environ.get("MLFLOW_TRACKING_URI")
        callback = MLflowLoggerCallback(tracking_uri=uri, experiment_name=study)
    else:
        from ray.air.integrations.wandb import WandbLoggerCallback

        callback = WandbLoggerCallback(project=os.environ.get("WANDB_PROJECT", study))
    return callback
