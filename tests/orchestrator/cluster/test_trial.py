"""From a training result to a row of the store."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.cluster.trial import (
    HANG_EXIT_CODE,
    INTERRUPTED,
    UNCLEAN_EXIT_CODE,
    Ended,
    Listener,
    checkpoint_path,
    run_cells,
)
from orchestrator.study.cell import make_cell
from orchestrator.sweep.attempt import LaunchSettings, Task, failed_attempt
from storage import Store
from storage.attempt import Attempt
from storage.schema import CURVES, SCALARS
from tests.trainables.datasets.layouts import write_class_folders
from trainables import components
from trainables.components import build_config

FIELDS = {
    "dataset": {"name": "synthetic", "like": "mnist", "images": 40},
    "architecture": {"name": "mlp", "hidden": [4]},
    "loss": "ce",
    "learning_rate": 0.1,
    "batch_size": 16,
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
    cell = make_cell(build_config({**FIELDS, **changes}), components)
    return Task(cell.key, cell.base_key, cell.identity, cell.revisions, cell.config.to_dict())


def test_attempts_have_exactly_the_columns_of_the_schema() -> None:
    declared = {column.name for column in SCALARS} | {"curves"}
    assert {item.name for item in fields(Attempt)} == declared


def test_a_cell_lands_whole_and_its_checkpoint_goes(settings: LaunchSettings) -> None:
    given = task()
    assert run_cells([given], settings) == [Ended(given.key, "finished")]
    store = Store(settings.store)
    columns = "key, loss, noise, noise_rate, num_epochs, realized_noise_rate, device, study"
    (row,) = store.rows(f"select {columns} from cells")
    assert row[:5] == (given.key, "ce", "symmetric", 0.5, 2)
    assert 0.2 < row[5] < 0.8
    assert row[6:] == ("cpu", "demo")
    attempts = [one for (one,) in store.rows("select attempt from cells")]
    (curve,) = store.curves(attempts, "test_accuracy").values()
    assert len(curve) == 2
    (epochs,) = store.rows("select count(*) from epochs")
    assert epochs == (2,)
    assert not checkpoint_path(Path(settings.store), given.key).exists()
    assert {column.name for column in CURVES} >= {"memorization", "epoch_seconds"}


def test_what_is_measured_against_unknown_labels_is_null(
    settings: LaunchSettings, tmp_path: Path
) -> None:
    write_class_folders(tmp_path)
    folder = {"name": "folder", "path": "mine", "num_classes": 3, "size": 8}
    given = task(dataset=folder, batch_size=4, augmentation=[])
    assert run_cells([given], settings) == [Ended(given.key, "finished")]
    store = Store(settings.store)
    columns = "realized_noise_rate, transition_matrix, train_accuracy_clean, memorization"
    (row,) = store.rows(f"select labels_are_true, noise_rate, {columns} from cells")
    assert row == (False, 0.5, None, None, None, None)
    (counted,) = store.rows("select count(train_accuracy_clean), count(test_accuracy) from epochs")
    assert counted == (0, 2)


def test_a_second_run_of_a_cell_changes_nothing(settings: LaunchSettings) -> None:
    given = task()
    run_cells([given], settings)
    assert run_cells([given], settings) == [Ended(given.key, "finished")]
    assert Store(settings.store).rows("select count(*) from attempts") == [(1,)]


def test_a_drain_stops_at_a_checkpoint_and_the_next_run_goes_on(settings: LaunchSettings) -> None:
    given = task()
    Path(settings.drain_file).touch()
    assert run_cells([given], settings) == [Ended(given.key, INTERRUPTED)]
    assert checkpoint_path(Path(settings.store), given.key).exists()
    Path(settings.drain_file).unlink()
    run_cells([given], settings)
    assert Store(settings.store).rows("select resumed_from_epoch from cells") == [(1,)]


def test_missing_data_is_a_failure_with_its_reason(
    settings: LaunchSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_OFFLINE", "1")
    (ended,) = run_cells([task(dataset="mnist")], settings)
    assert (ended.outcome, ended.error_class) == ("failed", "data")
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


def test_a_stack_lands_one_result_a_cell(settings: LaunchSettings) -> None:
    tasks = [task(seed=seed, loss=loss) for seed in (0, 1) for loss in ("ce", "mae")]
    ended = run_cells(tasks, settings)
    assert [entry.outcome for entry in ended] == ["finished"] * 4
    rows = Store(settings.store).rows("select key from cells")
    assert sorted(rows) == sorted((given.key,) for given in tasks)


def test_one_bad_member_costs_a_stack_nothing(
    settings: LaunchSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bad_loss.py").write_text(
        "from trainables.losses import LOSSES\n"
        "@LOSSES.register('bad')\n"
        "class Bad:\n"
        "    def __call__(self, logits, labels):\n"
        "        raise RuntimeError('out of ideas')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    tasks = [task(), task(loss="bad_loss"), task(loss="mae")]
    ended = {entry.key: entry for entry in run_cells(tasks, settings)}
    assert [ended[given.key].outcome for given in tasks] == ["finished", "failed", "finished"]
    assert "out of ideas" in (ended[tasks[1].key].error_trace or "")


FOREIGN = """
import torch
from torch import nn
from trainables.architectures import ARCHITECTURES
from trainables.architectures.mlp import MLP
from trainables.losses import LOSSES

def cross_entropy(logits, labels):
    return nn.functional.cross_entropy(logits, labels, reduction="none")

@LOSSES.register("hasty")
def hasty(logits, labels):
    torch.set_float32_matmul_precision("medium")
    return cross_entropy(logits, labels)

@LOSSES.register("vandal")
def vandal(logits, labels):
    import gc
    from trainables.images.resident import ResidentData
    for found in gc.get_referrers(ResidentData):
        if type(found) is ResidentData:
            found.test_labels[:20] = 0
    return cross_entropy(logits, labels)

class Chain(nn.Sequential):
    def forward(self, images):
        return 2 * super().forward(images)

@ARCHITECTURES.register("doubled")
class Doubled:
    hidden = (4,)
    stackable = True

    def __call__(self, shape, num_classes, generator):
        return Chain(*MLP((4,))(shape, num_classes, generator).children())
"""


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of plug-ins."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "foreign_parts.py").write_text(FOREIGN)
    monkeypatch.syspath_prepend(str(folder))
    return "foreign_parts"


class Heard(Listener):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_a_cell_that_changes_the_process_fails_alone(
    settings: LaunchSettings, foreign: str
) -> None:
    tasks = [task(seed=5), task(loss=f"{foreign}:hasty"), task(loss="mae", seed=5)]
    hasty = run_cells([tasks[1]], settings)
    assert [(entry.outcome, entry.error_class) for entry in hasty] == [("failed", "global_state")]
    assert not checkpoint_path(Path(settings.store), tasks[1].key).exists()
    ended = {entry.key: entry.outcome for entry in run_cells(tasks, settings)}
    assert [ended[given.key] for given in tasks] == ["finished", "failed", "finished"]
    messages = Store(settings.store).rows("select distinct error_message from failures")
    assert messages == [
        (
            "loss foreign_parts:hasty changes torch's float32 matmul precision from highest to "
            "medium (and 2 more); set `precision: tf32` or `precision: bf16` in the study instead",
        )
    ]


def test_a_cell_that_writes_into_the_data_fails_and_the_next_is_as_ever(
    settings: LaunchSettings, foreign: str
) -> None:
    clean = run_cells([task()], settings)
    (ended,) = run_cells([task(loss=f"{foreign}:vandal")], settings)
    assert (ended.outcome, ended.error_class) == ("failed", "contradiction")
    run_cells([task(seed=9)], settings)
    digests = Store(settings.store).rows("select distinct test_data_sha256 from cells")
    assert clean[0].outcome == "finished" and len(digests) == 1


def test_a_stack_that_is_none_is_trained_cell_by_cell_with_a_note(
    settings: LaunchSettings, foreign: str, tmp_path: Path
) -> None:
    tasks = [task(architecture=f"{foreign}:doubled", seed=seed) for seed in (0, 1)]
    heard = Heard()
    ended = run_cells(tasks, settings, heard)
    assert [entry.outcome for entry in ended] == ["finished"] * 2
    assert heard.notes == [
        "foreign_parts:doubled cannot be stacked: a Chain is not a plain nn.Sequential; "
        "its cells are trained alone"
    ]
    alone = replace(settings, store=str(tmp_path / "alone"))
    for given in tasks:
        run_cells([given], alone)
    columns = "select key, test_accuracy, train_loss, stack_size from cells order by key"
    assert Store(settings.store).rows(columns) == Store(alone.store).rows(columns)


def test_a_result_says_how_it_was_computed(settings: LaunchSettings) -> None:
    run_cells([task(seed=seed) for seed in (0, 1)], settings)
    columns = "num_threads, stack_size, stack_position, process_state_sha256 is not null"
    rows = Store(settings.store).rows(f"select {columns} from cells order by stack_position")
    assert rows == [(1, 2, 0, True), (1, 2, 1, True)]


def test_nothing_is_trained_in_a_process_that_cannot_be_cleaned(
    settings: LaunchSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import trainables.training.process

    monkeypatch.setattr(
        trainables.training.process, "return_to_clean_state", lambda: ("something",)
    )
    given = task()
    assert run_cells([given], settings) == [Ended(given.key, INTERRUPTED)]


def test_a_result_of_another_driver_is_not_computed_again(settings: LaunchSettings) -> None:
    first, second = task(), task(seed=1)
    run_cells([first], settings)
    ended = run_cells([first, second], settings)
    assert [entry.outcome for entry in ended] == ["finished", "finished"]
    assert Store(settings.store).rows("select count(*) from attempts") == [(2,)]


def test_a_hanging_cell_ends_its_process_and_is_noted(
    settings: LaunchSettings, tmp_path: Path
) -> None:
    script = tmp_path / "hang.py"
    script.write_text(
        "import json, sys, time\n"
        "from orchestrator.sweep.attempt import LaunchSettings, Task\n"
        "from orchestrator.cluster.trial import run_cells\n"
        "import trainables.training.train as training\n"
        "training.train_stack = lambda *a, **k: time.sleep(60)\n"
        "settings, task = (json.loads(text) for text in sys.argv[1:])\n"
        "run_cells([Task(**task)], LaunchSettings(**settings))\n"
    )
    given = task()
    hasty = replace(settings, hang_seconds=0.2, first_epoch_seconds=0.5)
    arguments = [json.dumps(asdict(hasty)), json.dumps(asdict(given))]
    ended = subprocess.run([sys.executable, str(script), *arguments], timeout=60, check=False)
    assert ended.returncode == HANG_EXIT_CODE
    rows = Store(settings.store).rows("select key, error_class from failures")
    assert rows == [(given.key, "hang")]


def test_a_worker_that_cannot_be_cleaned_ends_before_its_cells(
    settings: LaunchSettings, tmp_path: Path
) -> None:
    """Whoever started it tries the cells again, in a new process."""
    script = tmp_path / "unclean.py"
    script.write_text(
        "import json, sys\n"
        "from orchestrator.cluster.trial import run_trial\n"
        "from trainables.training import process\n"
        "from trainables.isolation.state import ProcessState\n"
        "process.return_to_clean_state()\n"
        "ProcessState.restore = lambda self: ('what cannot be undone',)\n"
        "settings, task = (json.loads(text) for text in sys.argv[1:])\n"
        "run_trial({'settings': settings, 'tasks': [task]})\n"
    )
    arguments = [json.dumps(asdict(given)) for given in (settings, task())]
    ended = subprocess.run([sys.executable, str(script), *arguments], timeout=60, check=False)
    assert ended.returncode == UNCLEAN_EXIT_CODE
    assert Store(settings.store).rows("select count(*) from attempts") == [(0,)]
