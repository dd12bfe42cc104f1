"""The columns of the store: name, type, unit and one line of meaning each.

This is the one place where a column is declared; files are written with it, views read it and the
README prints it. Columns are only ever added, and never change their meaning; `SCHEMA_VERSION`
grows with each addition and sits in every file. Knows nothing of how rows come about.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain

import pyarrow as pa

SCHEMA_VERSION = 3
VERSION_KEY = b"orchestrator.schema_version"
"""Metadata of every file: the schema version it was written with."""


class Outcome(StrEnum):
    """How an attempt at a cell ended. Finished and diverged attempts are results."""

    FINISHED = "finished"
    DIVERGED = "diverged"
    FAILED = "failed"

    @property
    def is_result(self) -> bool:
        return self is not Outcome.FAILED

    @property
    def symbol(self) -> str:
        return {"finished": "✓", "diverged": "†", "failed": "✗"}[self.value]


@dataclass(frozen=True)
class Column:
    """One column of a table. `unit` is empty for names, counts and fractions."""

    name: str
    type: pa.DataType
    description: str
    unit: str = ""


TEXT, REAL, WHOLE, YES_NO = pa.string(), pa.float64(), pa.int64(), pa.bool_()
TIME = pa.timestamp("us", tz="UTC")

IDENTITY = (
    Column("key", TEXT, "content hash of the cell (64 hexadecimal digits)"),
    Column("base_key", TEXT, "the same hash without revisions: equal for old and new revisions"),
    Column("attempt", TEXT, "unique id of this try at the cell"),
    Column("outcome", TEXT, "finished, diverged or failed"),
    Column("edition", WHOLE, "0 for a cell's first result, one more each time it was run anew"),
)

CONFIGURATION = (
    Column("config", TEXT, "the whole cell as JSON"),
    Column("revisions", TEXT, "revision of each component of the cell as JSON"),
    Column("dataset", TEXT, "data set name"),
    Column("noise", TEXT, "noise kind: none, symmetric, asymmetric, …"),
    Column("noise_rate", REAL, "nominal noise rate; NULL where the noise has none", "fraction"),
    Column("architecture", TEXT, "architecture name"),
    Column("loss", TEXT, "loss name"),
    Column("loss_parameters", TEXT, "parameters of the loss as JSON, defaults included"),
    Column("learning_rate", REAL, "initial learning rate"),
    Column("batch_size", WHOLE, "images per step"),
    Column("num_epochs", WHOLE, "epochs asked for"),
    Column("precision", TEXT, "fp32, tf32 or bf16"),
    Column("seed", WHOLE, "replicate"),
    Column("identity", TEXT, "the cell without its defaults as JSON; its SHA-256 is the key"),
)

FINGERPRINT = (
    Column("sources", TEXT, "field → name, origin and digest of its component's code, as JSON"),
    Column("train_data_sha256", TEXT, "digest of the training images and their original labels"),
    Column("test_data_sha256", TEXT, "digest of the test images and their labels"),
)
"""What moved the numbers beside the configuration; NULL in results of older versions."""

CURVES = (
    Column("epoch", WHOLE, "epoch, 1 to num_epochs"),
    Column("epoch_learning_rate", REAL, "learning rate in the epoch"),
    Column("train_loss", REAL, "mean training loss per image; NULL if not finite"),
    Column("train_accuracy_noisy", REAL, "agreement with the labels trained on", "fraction"),
    Column("train_accuracy_clean", REAL, "agreement with the true training labels", "fraction"),
    Column("memorization", REAL, "wrong training labels reproduced", "fraction"),
    Column("test_accuracy", REAL, "top-1 test accuracy", "fraction"),
    Column("test_top5_accuracy", REAL, "top-5 test accuracy", "fraction"),
    Column("test_loss", REAL, "mean test loss per image, without logit bias"),
    Column("test_cmc1", REAL, "queries whose first answer is right (retrieval)", "fraction"),
    Column("test_map", REAL, "mean average precision (retrieval)", "fraction"),
    Column("epoch_seconds", REAL, "wall time of the epoch", "seconds"),
)

FACTS = (
    Column("diverged_epoch", WHOLE, "first epoch with a non-finite loss or weight, else NULL"),
    Column("num_classes", WHOLE, "number of classes K"),
    Column("num_parameters", WHOLE, "trainable parameters"),
    Column("labels_are_true", YES_NO, "whether the data set's own labels are known to be true"),
    Column(
        "realized_noise_rate",
        REAL,
        "share of training labels that are wrong; NULL where nobody knows the true ones",
        "fraction",
    ),
    Column("noisy_label_sha256", TEXT, "digest of the label vector trained on"),
    Column("transition_matrix", TEXT, "row: true class, column: share of each label; K × K JSON"),
    Column("initial_weights_sha256", TEXT, "digest of the initial weights"),
    Column("seconds", REAL, "wall time of the whole run", "seconds"),
    Column("peak_memory_bytes", WHOLE, "peak device memory, or resident set on a CPU", "bytes"),
    Column("num_broken_images", WHOLE, "images that could not be decoded and were blank"),
    Column("resumed_from_epoch", WHOLE, "last epoch of the checkpoint it went on from, else NULL"),
)

CONDITIONS = (
    Column("num_threads", WHOLE, "CPU threads of the run; they move its rounding"),
    Column("stack_size", WHOLE, "runs trained together as one batched model, 1 for a lone one"),
    Column("stack_position", WHOLE, "place in that stack, from 0"),
    Column("process_state_sha256", TEXT, "digest of torch's global settings, before and after"),
)
"""How a run was computed; may differ in the last digits, never in meaning."""

PROVENANCE = (
    Column("study", TEXT, "study whose launch made this attempt"),
    Column("launch", TEXT, "id of that launch"),
    Column("started_at", TIME, "start of the attempt", "UTC"),
    Column("committed_at", TIME, "when the row was written", "UTC"),
    Column("host", TEXT, "machine name"),
    Column("device", TEXT, "device name"),
    Column("code_version", TEXT, "git commit of the code, else the package version"),
    Column("code_dirty", YES_NO, "whether the working tree had uncommitted changes"),
    Column("packages", TEXT, "versions of Python and the packages that matter as JSON"),
)

FAILURE = (
    Column("error_class", TEXT, "kind of failure: exception, out_of_memory, worker_died, …"),
    Column("error_type", TEXT, "exception type"),
    Column("error_message", TEXT, "exception message, one line"),
    Column("error_trace", TEXT, "traceback"),
)

SCALARS = IDENTITY + CONFIGURATION + FINGERPRINT + FACTS + CONDITIONS + PROVENANCE + FAILURE
"""One value per attempt."""

SUMMARY = (
    Column("train_loss", REAL, "mean training loss per image in the last epoch"),
    Column("train_accuracy_noisy", REAL, "agreement with the labels trained on, last", "fraction"),
    Column("train_accuracy_clean", REAL, "agreement with the true labels, last", "fraction"),
    Column("memorization", REAL, "wrong training labels reproduced, last", "fraction"),
    Column("test_accuracy", REAL, "top-1 test accuracy after the last epoch", "fraction"),
    Column("test_top5_accuracy", REAL, "top-5 test accuracy after the last epoch", "fraction"),
    Column("test_loss", REAL, "mean test loss per image after the last epoch"),
    Column("test_cmc1", REAL, "queries whose first answer is right, last epoch", "fraction"),
    Column("test_map", REAL, "mean average precision after the last epoch", "fraction"),
    Column(
        "best_test_accuracy", REAL, "highest test accuracy of any epoch (an oracle)", "fraction"
    ),
    Column("best_epoch", WHOLE, "first epoch that reached it"),
)
"""One value per result, taken from its curves."""

METRICS = tuple(column.name for column in CURVES if column.name not in ("epoch", "epoch_seconds"))
"""Curve columns that a table or a pick may select."""

PLANNED = (
    Column("study", TEXT, "study name"),
    Column("phase", TEXT, "phase of the study"),
    Column("position", WHOLE, "place in the study's order"),
    Column("key", TEXT, "cell key; NULL while a pick that it needs is pending"),
    Column("base_key", TEXT, "the key without revisions; NULL while a pick is pending"),
    Column("seed", WHOLE, "replicate"),
    Column("axes", pa.map_(TEXT, TEXT), "field → value as the study writes it, labels included"),
    Column("config", TEXT, "the whole cell as JSON; NULL while a pick is pending"),
    Column("skipped", TEXT, "reason why the study leaves this cell out, else NULL"),
    Column("revisions", TEXT, "revision of each component as JSON; NULL if not recorded"),
    Column("sources", TEXT, "code expected of each component, as in cells; NULL if not recorded"),
    Column("train_data_sha256", TEXT, "training data expected; NULL if they were not at hand"),
    Column("test_data_sha256", TEXT, "test data expected; NULL if they were not at hand"),
)

PICKS = (
    Column("study", TEXT, "study name"),
    Column("phase", TEXT, "phase that was searched"),
    Column("pick", TEXT, "name of the pick"),
    Column("group", pa.map_(TEXT, TEXT), "the cells compared share these fields"),
    Column("field", TEXT, "field whose value was picked"),
    Column("value", TEXT, "value that won"),
    Column("score", REAL, "mean of the metric over seeds for the winner"),
    Column("runner_up", TEXT, "second best value, NULL if there is none"),
    Column("runner_up_score", REAL, "its mean"),
    Column("num_seeds", WHOLE, "seeds per value"),
    Column("is_tie", YES_NO, "whether the runner-up has the same score"),
    Column("at_edge", YES_NO, "whether the winner is the smallest or largest value tried"),
    Column("changed_share", REAL, "bootstrap samples of seeds with another winner", "fraction"),
    Column("rule", TEXT, "the selection in words: metric, split, epoch, direction"),
    Column("picked_at", TIME, "when", "UTC"),
    Column("metric", TEXT, "metric compared; NULL in records of older versions"),
)

STUDIES = (
    Column("study", TEXT, "study name"),
    Column("version", WHOLE, "number of the record, from 0; a changed study gets the next one"),
    Column("is_current", YES_NO, "whether it is the study's newest version"),
    Column("title", TEXT, "its title"),
    Column("source_path", TEXT, "study file"),
    Column("source_sha256", TEXT, "digest of the study file"),
    Column("overrides", TEXT, "changes from the command line, separated by spaces"),
    Column("launch", TEXT, "id of the launch that recorded this version"),
    Column("recorded_at", TIME, "when", "UTC"),
    Column("code_version", TEXT, "git commit of the code, else the package version"),
)

DECISIONS = (
    Column("kind", TEXT, "redo: a result no longer answers; accept: other code gives its numbers"),
    Column("key", TEXT, "content hash of the cell"),
    Column("attempt", TEXT, "the result that was decided upon"),
    Column("component", TEXT, "field of the component whose code was accepted"),
    Column("before", TEXT, "digest of its code in the result"),
    Column("after", TEXT, "digest of the code that a replay found equal"),
    Column("reason", TEXT, "in words"),
    Column("decided_at", TIME, "when", "UTC"),
)

RUNS = (
    Column("study", TEXT, "study name"),
    Column("phase", TEXT, "phase of the study"),
    Column("position", WHOLE, "place in the study's order"),
    Column("label", TEXT, "the study's name of the loss with its parameters, such as MAE*"),
    Column("setting", TEXT, "digest of the cell without its seed: replicates share it"),
    Column("standing", TEXT, "done, new, failed, stale, skipped or pending"),
    Column("reason", TEXT, "why it stands so; NULL for a cell that is done or new"),
)
"""Columns of `runs` before those of the axes and of the results."""

SETTINGS = (
    "dataset",
    "noise",
    "noise_rate",
    "architecture",
    "loss",
    "loss_parameters",
    "learning_rate",
    "batch_size",
    "num_epochs",
    "precision",
    "seed",
)
"""Columns that `runs` has for every planned cell, as the study asks for them, run or not."""


_OF_THE_STANDING = "the same of the result that stands"


def _named(columns: tuple[Column, ...], *names: str) -> tuple[Column, ...]:
    known = {column.name: column for column in columns}
    return tuple(known[name] for name in names)


_SIDES = (
    Column("test_accuracy", REAL, "top-1 test accuracy after the last epoch", "fraction"),
    *_named(PROVENANCE, "study", "launch", "committed_at", "host", "device", "code_version"),
    Column("torch", TEXT, "version of torch"),
    *_named(CONDITIONS, "num_threads", "stack_size"),
)

CONFLICTS = (
    *_named(IDENTITY, "key", "edition"),
    Column("attempt", TEXT, "the result that is kept beside the one that stands"),
    Column("standing_attempt", TEXT, "the result that stands; NULL if it is damaged by now"),
    Column("differing", TEXT, "curves in which they differ"),
    Column("largest_difference", REAL, "of test accuracy in any epoch", "fraction"),
    *chain.from_iterable(
        (column, replace(column, name=f"standing_{column.name}", description=_OF_THE_STANDING))
        for column in _SIDES
    ),
)

_SETTING = ("dataset", "noise", "noise_rate", "architecture", "loss")
_LISTS = tuple(column for column in CURVES if not column.name.startswith("epoch_"))

_AT_CHANCE = Column("at_chance", YES_NO, "finished, but no better than 1 / K + 0.005")

_SUPERSEDED = Column(
    "superseded", YES_NO, "a result that is kept, but put aside by a newer one or a decision"
)

_RESULT = (
    *_named(CONFIGURATION, "identity"),
    *FINGERPRINT,
    *FACTS,
    *CONDITIONS,
    *(column for column in PROVENANCE if column.name != "study"),
    *SUMMARY,
    _AT_CHANCE,
)

VIEWS: dict[str, tuple[Column, ...]] = {
    "cells": (
        *IDENTITY,
        *CONFIGURATION,
        *FINGERPRINT,
        *FACTS,
        *CONDITIONS,
        *PROVENANCE,
        *SUMMARY,
        _AT_CHANCE,
    ),
    "attempts": (*SCALARS, _SUPERSEDED),
    "runs": (
        *RUNS,
        *_named(CONFIGURATION, *SETTINGS),
        *_named(SCALARS, "key", "attempt", "edition", "outcome", "base_key", "config", "revisions"),
        *_RESULT,
    ),
    "epochs": (
        *_named(SCALARS, "key", "attempt", *_SETTING, "seed"),
        _LISTS[0],
        Column("learning_rate", REAL, "learning rate in the epoch"),
        *_LISTS[1:],
        Column("seconds", REAL, "wall time of the epoch", "seconds"),
    ),
    "failures": (
        *_named(SCALARS, "key", "attempt", *_SETTING, "loss_parameters", "learning_rate", "seed"),
        *FAILURE,
        *_named(PROVENANCE, "study", "launch", "started_at", "committed_at", "host", "device"),
    ),
    "planned": PLANNED,
    "missing": (*PLANNED, Column("reason", TEXT, "why there is no result")),
    "picks": PICKS,
    "studies": STUDIES,
    "decisions": DECISIONS,
    "conflicts": CONFLICTS,
}
"""What SQL sees: the columns of each view, in order. Times are UTC without a zone."""


def attempt_schema() -> pa.Schema:
    """Arrow schema of an attempt file: scalars, then curves as lists of equal length."""
    curves = [pa.field(column.name, pa.list_(column.type)) for column in CURVES]
    return pa.schema([*(pa.field(column.name, column.type) for column in SCALARS), *curves])


def segment_attempts_schema() -> pa.Schema:
    """Arrow schema of a segment's attempts: scalars, then the figures taken from the curves."""
    return pa.schema([pa.field(column.name, column.type) for column in (*SCALARS, *SUMMARY)])


def segment_curves_schema() -> pa.Schema:
    """Arrow schema of a segment's curves: which attempt, then lists of equal length."""
    identity = [pa.field("key", TEXT), pa.field("attempt", TEXT)]
    curves = [pa.field(column.name, pa.list_(column.type)) for column in CURVES]
    return pa.schema([*identity, *curves])


def planned_schema() -> pa.Schema:
    """Arrow schema of a study's planned cells."""
    return pa.schema([pa.field(column.name, column.type) for column in PLANNED])


def picks_schema() -> pa.Schema:
    """Arrow schema of recorded picks."""
    return pa.schema([pa.field(column.name, column.type) for column in PICKS])


def decisions_schema() -> pa.Schema:
    """Arrow schema of decisions."""
    return pa.schema([pa.field(column.name, column.type) for column in DECISIONS])
