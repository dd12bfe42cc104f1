"""The values that land in the store, as plain frozen records. Knows no Parquet and no SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storage.reporting.spec import FigureSpec, TableSpec


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One try at a cell: every scalar column of the schema, and the curves.

    A failed attempt has no curves and None in every column of facts.
    """

    key: str
    base_key: str
    attempt: str
    outcome: str
    config: str
    revisions: str
    dataset: str
    noise: str
    noise_rate: float | None
    architecture: str
    loss: str
    loss_parameters: str
    learning_rate: float
    batch_size: int
    num_epochs: int
    precision: str
    seed: int
    study: str
    launch: str
    started_at: datetime
    committed_at: datetime
    host: str
    device: str
    code_version: str
    code_dirty: bool | None
    packages: str
    edition: int = 0
    identity: str | None = None
    sources: str | None = None
    train_data_sha256: str | None = None
    test_data_sha256: str | None = None
    diverged_epoch: int | None = None
    num_classes: int | None = None
    num_parameters: int | None = None
    labels_are_true: bool | None = None
    realized_noise_rate: float | None = None
    noisy_label_sha256: str | None = None
    transition_matrix: str | None = None
    initial_weights_sha256: str | None = None
    seconds: float | None = None
    peak_memory_bytes: int | None = None
    num_broken_images: int | None = None
    resumed_from_epoch: int | None = None
    num_threads: int | None = None
    stack_size: int | None = None
    stack_position: int | None = None
    process_state_sha256: str | None = None
    error_class: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    error_trace: str | None = None
    curves: Mapping[str, Sequence[float | int | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class PlannedCell:
    """One cell that a study asks for, and what its result must answer to.

    `axes` maps each field to the value the study writes. The last four are what the cell's code
    and data were when it was planned; None where that was not known.
    """

    study: str
    phase: str
    position: int
    key: str | None
    base_key: str | None
    seed: int
    axes: Mapping[str, str]
    config: str | None
    skipped: str | None
    revisions: str | None = None
    sources: str | None = None
    train_data_sha256: str | None = None
    test_data_sha256: str | None = None


@dataclass(frozen=True)
class StudyRecord:
    """A study as it was launched: its text, its tables and figures, and every cell it asks for."""

    name: str
    title: str
    source_path: str
    source_sha256: str
    source_text: str
    overrides: tuple[str, ...]
    tables: Mapping[str, TableSpec]
    planned: tuple[PlannedCell, ...]
    launch: str
    recorded_at: datetime
    code_version: str
    figures: Mapping[str, FigureSpec] = field(default_factory=dict)


@dataclass(frozen=True)
class StudyVersion:
    """One recorded version of a study, without its cells; one field per column of `studies`."""

    study: str
    version: int
    is_current: bool
    title: str
    source_path: str
    source_sha256: str
    overrides: tuple[str, ...]
    launch: str
    recorded_at: datetime
    code_version: str


@dataclass(frozen=True)
class PickRecord:
    """A recorded selection between phases; one field per column of `picks`.

    `metric` is the metric compared, None in records of older versions.
    """

    study: str
    phase: str
    pick: str
    group: Mapping[str, str]
    field: str
    value: str
    score: float
    runner_up: str | None
    runner_up_score: float | None
    num_seeds: int
    is_tie: bool
    at_edge: bool
    changed_share: float | None
    rule: str
    picked_at: datetime
    metric: str | None = None
