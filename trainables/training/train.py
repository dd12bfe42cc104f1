"""Training runs: configurations in, per-epoch records and results out.

Runs from a plain script on any device; knows nothing of Ray, studies or the store. A lone run is a
stack of one: both are trained by the same code.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from trainables import components
from trainables.config import EpochRecord, TrainingConfig, TrainingResult
from trainables.datasets import default_data_root
from trainables.images.resident import data_dropped_after_errors, resident_data
from trainables.isolation.global_random import generators_set_back
from trainables.isolation.isolation import foreign_components, isolated, load_components
from trainables.isolation.state import ProcessState
from trainables.training import checkpoint
from trainables.training.loop import Run, origin_of
from trainables.training.step import matrix_precision

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""Between two looks, within an epoch, at the clock and at what asks for a stop."""


class TrainingInterrupted(Exception):  # noqa: N818 - not an error: the run goes on later
    """The run stopped as asked; its checkpoint holds `epoch` finished epochs (0: nothing yet)."""

    def __init__(self, epoch: int) -> None:
        super().__init__(f"stopped after epoch {epoch}")
        self.epoch = epoch


def train(
    config: TrainingConfig,
    *,
    data_root: Path | None = None,
    device: str | None = None,
    checkpoint_path: Path | None = None,
    checkpoint_seconds: float = 60.0,
    on_epoch: Callable[[EpochRecord], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> TrainingResult:
    """Train one network as `config` says.

    Args:
        config: the run; parameters left out take their defaults.
        data_root: folder of the data sets; default `ORCHESTRATOR_DATA` or the user's cache.
        device: torch device; default the first GPU, else the CPU.
        checkpoint_path: where to write checkpoints, and to go on from one that is there.
        checkpoint_seconds: least time between two checkpoints.
        on_epoch: called with each new record.
        should_stop: asked after each epoch, and about once a second within long ones; True writes
            a checkpoint and stops.

    Raises:
        TrainingInterrupted: `should_stop` said so.
        DatasetError: the data set is not here.
        ComponentError: the configuration does not fit the data set or the device.
        GlobalStateError: a component changed what all runs of the process share.
        ContradictionError: a component wrote into the data.
    """
    (result,) = train_stack(
        [config],
        data_root=data_root,
        device=device,
        checkpoint_paths=[checkpoint_path] if checkpoint_path else None,
        checkpoint_seconds=checkpoint_seconds,
        on_epoch=lambda _, record: on_epoch(record),
        should_stop=should_stop,
    )
    return result


def train_stack(
    configs: Sequence[TrainingConfig],
    *,
    data_root: Path | None = None,
    device: str | None = None,
    checkpoint_paths: Sequence[Path] | None = None,
    checkpoint_seconds: float = 60.0,
    on_epoch: Callable[[int, EpochRecord], None] = lambda _member, _record: None,
    should_stop: Callable[[], bool] = lambda: False,
    on_note: Callable[[str], None] = logger.warning,
) -> list[TrainingResult]:
    """Train several networks at once as one batched model; each ends as if it were trained alone.

    Results agree with lone runs within floating-point tolerance; a member that diverges leaves the
    others unchanged. `seconds` is a member's share of the time. The arguments are those of `train`,
    with one checkpoint per member, and `on_epoch` is also given the member's position; `on_note` is
    given what was put right without harm.

    Raises:
        As `train`; StackError if the runs cannot be trained together.
    """
    state = ProcessState.of_numbers()
    load_components(configs, on_note)
    configs = [components.resolve(config) for config in configs]
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    root = data_root or default_data_root()
    with (
        data_dropped_after_errors(),
        generators_set_back(device),
        matrix_precision(configs[0].precision),
        isolated(foreign_components(configs), on_note) as look_at_process,
        checkpoint.Writer() as writer,
    ):
        pauses = _Pauses(checkpoint_paths, checkpoint_seconds, should_stop, writer)
        if len(configs) > 1:
            _end_begun_epochs(configs, root, device, checkpoint_paths)
        run = Run(configs, root, device, checkpoint_paths)
        while not run.is_over:
            run.next_epoch(on_epoch, pauses.after_step)
            look_at_process()
            if not run.is_over:
                pauses.look(run)
        results = run.results()
    return [replace(result, process_state_sha256=state.sha256) for result in results]


class _Pauses:
    """When a run writes a checkpoint, and when it stops."""

    def __init__(
        self,
        paths: Sequence[Path] | None,
        checkpoint_seconds: float,
        should_stop: Callable[[], bool],
        writer: checkpoint.Writer,
    ) -> None:
        self._paths, self._seconds, self._should_stop = paths or (), checkpoint_seconds, should_stop
        self._writer = writer
        self._saved = self._looked = time.monotonic()

    def after_step(self, run: Run) -> None:
        """Within an epoch, if the last look was a while ago."""
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            self.look(run)

    def look(self, run: Run) -> None:
        """Write a checkpoint if one is due. Raises TrainingInterrupted if it shall stop."""
        self._looked = time.monotonic()
        stop = self._should_stop()
        is_due = self._looked - self._saved >= self._seconds and not self._writer.is_busy
        if self._paths and (stop or is_due):
            self._writer.wait()
            for path, state in zip(self._paths, run.states(), strict=True):
                self._writer.save(path, state)
            self._saved = time.monotonic()
        if stop:
            self._writer.wait()
            raise TrainingInterrupted(run.epochs_done if self._paths else 0)


def _end_begun_epochs(
    configs: Sequence[TrainingConfig],
    data_root: Path,
    device: str,
    paths: Sequence[Path] | None,
) -> None:
    """Members of a stack step together, so one that was stopped within an epoch ends it alone."""
    for config, path in zip(configs, paths or (), strict=False):
        origin = origin_of(config, resident_data(config.dataset, data_root, device))
        state = checkpoint.load(path, config.to_dict(), origin)
        if state and state["steps"]:
            run = Run([config], data_root, device, [path])
            run.next_epoch(lambda _member, _record: None, lambda _run: None)
            (state,) = run.states()
            checkpoint.save(path, state)
