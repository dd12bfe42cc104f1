"""From a training result, or an error, to a row of the store."""

from __future__ import annotations

import errno
import json
import socket
import traceback
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from orchestrator.guard.watchdog import FIRST_EPOCH_SECONDS, FLOOR_SECONDS
from orchestrator.plan.expectations import sources_text
from storage.attempt import Attempt
from storage.schema import CURVES, Outcome
from trainables.config import Choice, EpochRecord, TrainingConfig, TrainingResult

NO_MEMORY = ("can't allocate memory", "not enough memory", "std::bad_alloc")
"""What torch says when the machine, not the GPU, has no memory left for a tensor."""


@dataclass(frozen=True)
class LaunchSettings:
    """What all trials of one launch share.

    Args:
        store: root folder of the store.
        data_root: folder of the data sets.
        study, launch: names recorded with each attempt.
        threads: CPU threads of a trial.
        device: torch device of a trial.
        checkpoint_seconds: time between mid-cell checkpoints.
        code_version, code_dirty, packages: provenance, read once by the driver.
        edited: modules of this project with changes that are not committed, as the driver knows.
        drain_file: as soon as this file exists, trials checkpoint and stop.
        report_seconds: time between two reports of a trial's epochs.
        hang_seconds: no epoch but the first counts as hanging before this time.
        first_epoch_seconds: time for the first epoch, data loading included.
    """

    store: str
    data_root: str
    study: str
    launch: str
    threads: int
    device: str
    checkpoint_seconds: float
    code_version: str
    code_dirty: bool | None
    packages: str
    drain_file: str
    edited: tuple[str, ...] = ()
    report_seconds: float = 1.0
    hang_seconds: float = FLOOR_SECONDS
    first_epoch_seconds: float = FIRST_EPOCH_SECONDS


@dataclass(frozen=True)
class Task:
    """One cell as it travels to a worker.

    Args:
        key, base_key, identity, revisions: as in `orchestrator.study.cell.Cell`.
        config: the run as plain values.
        edition: of the result to be made; above 0 if results that no longer answer are there.
    """

    key: str
    base_key: str
    identity: str
    revisions: Mapping[str, int]
    config: Mapping[str, Any]
    edition: int = 0

    @property
    def loss(self) -> str:
        """Name of the training loss."""
        return str(self.config["loss"]["name"])


def finished_attempt(
    task: Task, settings: LaunchSettings, started: datetime, result: TrainingResult
) -> Attempt:
    """The row of a run that reached its end, diverged or not."""
    diverged, matrix = result.diverged_epoch is not None, result.transition_matrix
    return Attempt(
        outcome=(Outcome.DIVERGED if diverged else Outcome.FINISHED).value,
        **_common(task, settings, started),
        diverged_epoch=result.diverged_epoch,
        num_classes=result.num_classes,
        num_parameters=result.num_parameters,
        train_data_sha256=result.train_data_sha256,
        test_data_sha256=result.test_data_sha256,
        labels_are_true=result.labels_are_true,
        realized_noise_rate=result.realized_noise_rate,
        noisy_label_sha256=result.noisy_label_sha256,
        transition_matrix=None if matrix is None else json.dumps(matrix),
        initial_weights_sha256=result.initial_weights_sha256,
        seconds=result.seconds,
        peak_memory_bytes=result.peak_memory_bytes,
        num_broken_images=result.num_broken_images,
        resumed_from_epoch=result.resumed_from_epoch,
        num_threads=result.num_threads,
        stack_size=result.stack_size,
        stack_position=result.stack_position,
        process_state_sha256=result.process_state_sha256,
        device=result.device,
        curves=curves_of(result.epochs),
    )


def failed_attempt(
    task: Task,
    settings: LaunchSettings,
    started: datetime,
    error: BaseException,
    error_class: str | None = None,
) -> Attempt:
    """The row of a try that gave no result."""
    return Attempt(
        outcome=Outcome.FAILED.value,
        **_common(task, settings, started),
        device=settings.device,
        num_threads=settings.threads,
        error_class=error_class or _classify(error),
        error_type=type(error).__name__,
        error_message=" ".join(str(error).split()),
        error_trace="".join(traceback.format_exception(error)),
    )


def curves_of(epochs: tuple[EpochRecord, ...]) -> dict[str, tuple[float | int | None, ...]]:
    """Epoch records → curve columns of the store."""
    source = {"epoch_learning_rate": "learning_rate", "epoch_seconds": "seconds"}
    records = [asdict(record) for record in epochs]
    return {
        column.name: tuple(record[source.get(column.name, column.name)] for record in records)
        for column in CURVES
    }


def _common(task: Task, settings: LaunchSettings, started: datetime) -> dict[str, Any]:
    """Identity, configuration and provenance, which every attempt has."""
    config = TrainingConfig.from_dict(task.config)
    return {
        "key": task.key,
        "base_key": task.base_key,
        "attempt": uuid.uuid4().hex,
        "config": json.dumps(config.to_dict(), sort_keys=True),
        "revisions": json.dumps(dict(task.revisions), sort_keys=True),
        "dataset": config.dataset.name,
        "noise": config.noise.name,
        "noise_rate": _nominal_rate(config.noise),
        "architecture": config.architecture.name,
        "loss": config.loss.name,
        "loss_parameters": json.dumps(config.loss.as_dict(), sort_keys=True),
        "learning_rate": config.learning_rate,
        "batch_size": config.batch_size,
        "num_epochs": config.epochs,
        "precision": config.precision,
        "seed": config.seed,
        "identity": task.identity,
        "edition": task.edition,
        "sources": sources_text(config, frozenset(settings.edited)),
        "study": settings.study,
        "launch": settings.launch,
        "started_at": started,
        "committed_at": datetime.now(UTC),
        "host": socket.gethostname(),
        "code_version": settings.code_version,
        "code_dirty": settings.code_dirty,
        "packages": settings.packages,
    }


def _nominal_rate(noise: Choice) -> float | None:
    """0 for no noise, the rate of a kind that has one, None for human, matrix and the like."""
    rate = noise.get("rate", 0.0 if noise.name == "none" else None)
    return None if rate is None else float(rate)


def _classify(error: BaseException) -> str:
    """Kind of failure, by what the exception is."""
    import torch

    from storage.checking.content import ContentError
    from trainables.datasets import DatasetError
    from trainables.isolation.attestation import ContradictionError
    from trainables.isolation.isolation import GlobalStateError

    if isinstance(error, torch.OutOfMemoryError | MemoryError) or _lacks_memory(error):
        return "out_of_memory"
    if isinstance(error, DatasetError):
        return "data"
    if isinstance(error, GlobalStateError):
        return "global_state"
    if isinstance(error, ContradictionError | ContentError):
        return "contradiction"
    return "exception"


def _lacks_memory(error: BaseException) -> bool:
    """Whether an allocation on the CPU failed: torch says so in words only."""
    is_torch = isinstance(error, RuntimeError) and any(text in str(error) for text in NO_MEMORY)
    return is_torch or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
