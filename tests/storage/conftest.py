"""Synthetic attempts, studies and stores."""

import hashlib
import json
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from storage.attempt import Attempt, PickRecord, PlannedCell, StudyRecord
from storage.landing import land_attempt
from storage.reporting.spec import TableSpec
from storage.schema import CURVES

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def cell_key(index: int) -> str:
    return hashlib.sha256(f"cell {index}".encode()).hexdigest()


def config_of(fields: dict[str, Any]) -> dict[str, Any]:
    """The configuration that the columns of an attempt repeat."""
    return {
        "architecture": {"name": fields["architecture"]},
        "batch_size": fields["batch_size"],
        "dataset": {"name": fields["dataset"]},
        "epochs": fields["num_epochs"],
        "learning_rate": fields["learning_rate"],
        "loss": {"name": fields["loss"], **json.loads(fields["loss_parameters"])},
        "noise": {"name": fields["noise"], "rate": fields["noise_rate"]},
        "precision": fields["precision"],
        "seed": fields["seed"],
    }


def attempt_of(index: int, *, epochs: int = 3, run: int = 0, **changes: Any) -> Attempt:
    """The attempt number `run` at cell `index`: the same arguments give the same attempt."""
    draw = random.Random(f"{index} {run}").random
    curves: dict[str, Any] = {
        column.name: tuple(draw() for _ in range(epochs)) for column in CURVES
    }
    curves["epoch"] = tuple(range(1, epochs + 1))
    fields: dict[str, Any] = {
        "key": cell_key(index),
        "base_key": cell_key(index + 1_000_000),
        "attempt": f"{index:08x}-{run}",
        "outcome": "finished",
        "revisions": json.dumps({"loss:ce": 1}),
        "dataset": "fashion-mnist",
        "noise": "symmetric",
        "noise_rate": 0.2 * (index % 3),
        "architecture": "mlp",
        "loss": ("ce", "mae", "gce")[index % 3],
        "loss_parameters": "{}",
        "learning_rate": 0.1,
        "batch_size": 128,
        "num_epochs": epochs,
        "precision": "fp32",
        "seed": index % 5,
        "study": "quickstart",
        "launch": "launch-1",
        "started_at": START + timedelta(minutes=index),
        "committed_at": START + timedelta(minutes=index, seconds=30),
        "host": "node",
        "device": "cpu",
        "code_version": "abc",
        "code_dirty": False,
        "packages": "{}",
        "num_classes": 10,
        "diverged_epoch": 1 if changes.get("outcome") == "diverged" else None,
        "seconds": 30.0,
        "curves": curves,
    } | changes
    return Attempt(**{"config": json.dumps(config_of(fields), sort_keys=True), **fields})


def failure_of(index: int, run: int = 1, **changes: Any) -> Attempt:
    facts = {"error_class": "exception", "error_type": "ValueError", "error_message": "bad luck"}
    return attempt_of(
        index, run=run, outcome="failed", curves={}, seconds=None, **{**facts, **changes}
    )


@pytest.fixture
def attempt() -> Callable[..., Attempt]:
    return attempt_of


@pytest.fixture
def failure() -> Callable[..., Attempt]:
    return failure_of


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "results"


@pytest.fixture
def filled(root: Path) -> Path:
    """A store with five results, one of them diverged, and two failed tries at a sixth cell."""
    for index in range(4):
        land_attempt(root, attempt_of(index))
    land_attempt(root, attempt_of(4, outcome="diverged", diverged_epoch=2))
    land_attempt(root, failure_of(5, run=1, committed_at=START))
    land_attempt(root, failure_of(5, run=2, committed_at=START + timedelta(1), error_message="x"))
    return root


@pytest.fixture
def study() -> StudyRecord:
    """Asks for cells 0 to 6, leaves one more out and has one pending."""

    def planned(position: int, key: str | None, skipped: str | None = None) -> PlannedCell:
        base = cell_key(1_000_006) if position == 6 else key
        axes = {"loss": "CE", "noise.rate": "0.4"}
        return PlannedCell(
            "quickstart", "main", position, key, base, position % 5, axes, "{}", skipped
        )

    cells = [planned(index, cell_key(index)) for index in range(7)]
    cells += [planned(7, None, "not in the paper"), planned(8, None)]
    return StudyRecord(
        name="quickstart",
        title="A title",
        source_path="studies/quickstart.yaml",
        source_sha256="0" * 64,
        source_text='study: quickstart # "orchestrator.sha256" ' + "0" * 64,
        overrides=("seeds=1", "cell.epochs=2"),
        tables={"accuracy": TableSpec(rows=("loss",), columns=("noise.rate",))},
        planned=tuple(cells),
        launch="launch-1",
        recorded_at=START,
        code_version="abc",
    )


@pytest.fixture
def pick() -> PickRecord:
    return PickRecord(
        study="quickstart",
        phase="search",
        pick="best_rate",
        group={"dataset": "fashion-mnist", "loss": "CE"},
        field="learning_rate",
        value="0.1",
        score=0.9,
        runner_up=None,
        runner_up_score=None,
        num_seeds=3,
        is_tie=False,
        at_edge=True,
        changed_share=0.25,
        rule="mean test accuracy over seeds, last epoch, highest",
        picked_at=START,
    )
