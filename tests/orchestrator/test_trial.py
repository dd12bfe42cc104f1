"""From a training result to a row of the store."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.cell import make_cell
from orchestrator.trial import LaunchSettings, Task, checkpoint_path, failed_attempt, run_cell
from storage import Store
from storage.attempt import Attempt
from storage.schema import CURVES, SCALARS
from trainables import catalog
from trainables.catalog import build_config

FIELDS = {
    "dataset": {"name": "synthetic", "like": "mnist", "images": 40},
    "architecture": {"name": "mlp", "hidden": [4]},
    "loss": "ce",
    "learning_rate": 0.1,
    "epochs": 2,
    "noise": {"kind": "symmetric", "rate": 0.5},
}


@pytest.fixture
def settings(tmp_path: Path) -> LaunchSettings:
    return LaunchSettings(
        store=str(tmp_path / "store"),
        data_root=str(tmp_path),
        study="demo",
        launch="launch",
        threads=1,
        device="cpu",
        checkpoint_seconds=0,
        code_version="abc",
        code_dirty=False,
        packages="{}",
        drain_file=str(tmp_path / "drain"),
    )


def task(**changes: object) -> Task:
    cell = make_cell(build_config({**FIELDS, **changes}), catalog)
    return Task(cell.key, cell.base_key, cell.revisions, cell.config.to_dict())


def test_attempts_have_exactly_the_columns_of_the_schema() -> None:
    declared = {column.name for column in SCALARS} | {"curves"}
    assert {item.name for item in fields(Attempt)} == declared


def test_a_cell_lands_whole_and_its_checkpoint_goes(settings: LaunchSettings) -> None:
    given = task()
    report = run_cell(given, settings, on_epoch=lambda _: None)
    assert report["outcome"] == "finished"
    store = Store(settings.store)
    columns = "key, loss, noise, noise_rate, num_epochs, realized_noise_rate, device, study"
    (row,) = store.rows(f"select {columns} from cells")
    assert row[:5] == (given.key, "ce", "symmetric", 0.5, 2)
    assert 0.2 < row[5] < 0.8
    assert row[6:] == ("cpu", "demo")
    (curve,) = store.curves([given.key], "test_accuracy").values()
    assert len(curve) == 2
    (epochs,) = store.rows("select count(*) from epochs")
    assert epochs == (2,)
    assert not checkpoint_path(Path(settings.store), given.key).exists()
    assert {column.name for column in CURVES} >= {"memorization", "epoch_seconds"}


def test_a_second_run_of_a_cell_changes_nothing(settings: LaunchSettings) -> None:
    given = task()
    run_cell(given, settings, on_epoch=lambda _: None)
    again = run_cell(given, settings, on_epoch=lambda _: None)
    assert again["conflicts"] == []
    assert Store(settings.store).rows("select count(*) from attempts") == [(1,)]


def test_a_drain_stops_at_a_checkpoint_and_the_next_run_goes_on(settings: LaunchSettings) -> None:
    given = task()
    Path(settings.drain_file).touch()
    stopped = run_cell(given, settings, on_epoch=lambda _: None)
    assert stopped == {"outcome": "interrupted", "epoch": 1}
    assert checkpoint_path(Path(settings.store), given.key).exists()
    Path(settings.drain_file).unlink()
    run_cell(given, settings, on_epoch=lambda _: None)
    assert Store(settings.store).rows("select resumed_from_epoch from cells") == [(1,)]


def test_missing_data_is_a_failure_with_its_reason(
    settings: LaunchSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_OFFLINE", "1")
    report = run_cell(task(dataset="mnist"), settings, on_epoch=lambda _: None)
    assert report["outcome"] == "failed"
    ((error_class, message),) = Store(settings.store).rows(
        "select error_class, error_message from failures"
    )
    assert error_class == "data"
    assert "train-images-idx3-ubyte" in message


def test_memory_failures_are_told_apart(settings: LaunchSettings) -> None:
    import torch

    now = datetime.now(UTC)
    memory = failed_attempt(task(), settings, now, torch.OutOfMemoryError("CUDA out of memory"))
    other = failed_attempt(task(), settings, now, KeyError("x"))
    assert (memory.error_class, other.error_class) == ("out_of_memory", "exception")
