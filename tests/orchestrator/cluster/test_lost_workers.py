"""A worker that ends in the middle, such as one that could not be cleaned: tried again, then told.

Ray starts it anew; only when it was lost too often do its cells fail, and the next launch has them.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import ray

from orchestrator.cluster.tune_callback import WORKER_RETRIES, Events
from orchestrator.cluster.tune_search import trial_id
from orchestrator.guard.breaker import Breaker
from orchestrator.progress import SharedProgress
from orchestrator.study.cell import make_cell
from orchestrator.sweep.attempt import LaunchSettings, Task
from storage import Store
from trainables import components
from trainables.components import build_config


@pytest.fixture
def settings(tmp_path: Path) -> LaunchSettings:
    return LaunchSettings(
        store=str(tmp_path / "store"),
        data_root=str(tmp_path),
        study="demo",
        launch="launch",
        threads=1,
        device="cpu",
        checkpoint_seconds=60,
        code_version="abc",
        code_dirty=False,
        packages="{}",
        drain_file=str(tmp_path / "drain"),
    )


def a_task() -> Task:
    fields = {
        "dataset": "fashion-mnist-small",
        "architecture": {"name": "mlp", "hidden": [4]},
        "loss": "ce",
        "learning_rate": 0.1,
        "epochs": 1,
    }
    cell = make_cell(build_config(fields), components)
    return Task(cell.key, cell.base_key, cell.identity, cell.revisions, cell.config.to_dict())


def lost(task: Task, error: Exception) -> SimpleNamespace:
    """The trial of a task as Tune shows it when it gives it up."""
    return SimpleNamespace(
        trial_id=trial_id((task,)), get_pickled_error=lambda: error, error_file=None
    )


def test_a_worker_that_ended_too_often_is_a_failure_of_its_cells(settings: LaunchSettings) -> None:
    task = a_task()
    events = Events([(task,)], settings, SharedProgress([]), Breaker(), 0)
    events.on_trial_error(lost(task, ray.exceptions.ActorDiedError()))
    assert events.ended == {task.key}
    assert not events.has_lost_nodes
    query = "select key, error_class, error_message from failures"
    message = f"the worker was lost {WORKER_RETRIES + 1} times"
    assert Store(settings.store).rows(query) == [(task.key, "worker_died", message)]


def test_while_it_is_tried_again_nothing_lands(settings: LaunchSettings) -> None:
    task = a_task()
    events = Events([(task,)], settings, SharedProgress([]), Breaker(), 0)
    events.on_trial_recover(lost(task, ray.exceptions.ActorDiedError()))
    assert events.ended == set()
    assert not Path(settings.store).exists()
