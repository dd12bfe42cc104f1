"""Trackers get what landed, and nothing that they do reaches the cells."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cluster.trackers import CellRun, Tracker, read_runs, trackers_of
from orchestrator.plan.open import open_study
from orchestrator.study.text import StudyError
from orchestrator.study.tracker_names import check_trackers
from storage.landing import land_attempt
from storage.schema import METRICS
from tests.storage.conftest import attempt_of

STUDY = "study: tracked\ntrackers: [{}]\n"


class Recorder:
    """A callback that keeps what it hears."""

    def __init__(self) -> None:
        self.runs: dict[str, list[dict[str, Any]]] = {}
        self.ended: list[str] = []

    def setup(self) -> None:
        pass

    def log_trial_start(self, trial: CellRun) -> None:
        self.runs[str(trial)] = []

    def log_trial_result(self, iteration: int, trial: CellRun, result: dict[str, Any]) -> None:
        assert iteration == result["training_iteration"]
        self.runs[str(trial)].append(result)

    def log_trial_end(self, trial: CellRun, failed: bool = False) -> None:
        self.ended.append(str(trial))

    def on_experiment_end(self, trials: list[Any]) -> None:
        pass


class Broken(Recorder):
    def setup(self) -> None:
        raise ConnectionError("no server\nat all")


class Hanging(Recorder):
    def __init__(self) -> None:
        super().__init__()
        self.release = threading.Event()

    def setup(self) -> None:
        self.release.wait(20)


def test_it_gets_every_epoch_that_landed(tmp_path: Path) -> None:
    notes: list[str] = []
    recorder, attempt = Recorder(), attempt_of(0)
    land_attempt(tmp_path, attempt)
    with Tracker("recorder", recorder, "tracked", tmp_path, notes.append) as tracker:
        tracker.trial_ended(attempt.key, "finished")
        tracker.trial_ended("0" * 64, "failed")
    (name,) = recorder.ended
    assert name == "fashion-mnist ce symmetric 0 seed 0"
    assert [figures["training_iteration"] for figures in recorder.runs[name]] == [1, 2, 3]
    assert [figures["test_accuracy"] for figures in recorder.runs[name]] == list(
        attempt.curves["test_accuracy"]
    )
    assert notes == []


def test_its_error_is_one_line(tmp_path: Path) -> None:
    notes: list[str] = []
    with Tracker("broken", Broken(), "tracked", tmp_path, notes.append) as tracker:
        tracker.trial_ended("0" * 64, "finished")
    assert notes == ["broken failed and is left out from here: no server"]


def test_its_delay_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.cluster.trackers.LAST_WORDS_SECONDS", 0.05)
    notes: list[str] = []
    hanging = Hanging()
    with Tracker("hanging", hanging, "tracked", tmp_path, notes.append) as tracker:
        tracker.trial_ended("0" * 64, "finished")
    hanging.release.set()
    assert notes == ["hanging is still busy; what it has not taken it will not get"]


def test_a_package_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        __import__("orchestrator.study.tracker_names").study.tracker_names.PACKAGES,
        "wandb",
        "no_such",
    )
    path = tmp_path / "tracked.yaml"
    path.write_text(STUDY.format("tensorboard, wandb"))
    opened = open_study(path)
    with pytest.raises(StudyError, match=r"yaml:2:\d+: trackers\[1\]: .* pip install no_such"):
        check_trackers(opened.study, opened.source)


def test_tensorboard_files_can_be_read_back(tmp_path: Path) -> None:
    """Ray writes them through tensorboardX, whose records are length, checksum, content."""
    attempt = attempt_of(1)
    land_attempt(tmp_path, attempt)
    notes: list[str] = []
    (tracker,) = trackers_of(["tensorboard"], "tracked", tmp_path, notes.append)
    with tracker:
        tracker.trial_ended(attempt.key, "finished")
    assert notes == []
    (file,) = (tmp_path / "trackers" / "tracked").rglob("events.out.tfevents.*")
    assert scalars(file)["ray/tune/test_accuracy"] == pytest.approx(
        dict(enumerate(attempt.curves["test_accuracy"], start=1))
    )


def scalars(path: Path) -> dict[str, dict[int, float]]:
    """Tag → step → value of a TensorBoard file."""
    import struct

    from tensorboardX.proto.event_pb2 import Event

    content, at = path.read_bytes(), 0
    found: dict[str, dict[int, float]] = {}
    while at < len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        event = Event.FromString(content[at + 12 : at + 12 + length])
        at += 12 + length + 4
        for value in event.summary.value:
            found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found


def test_every_metric_of_the_store_reaches_a_tracker(tmp_path: Path) -> None:
    attempt = attempt_of(0)
    curves = {name: [0.25, 0.5, 0.75] for name in METRICS}
    attempt = replace(attempt, curves={**attempt.curves, **curves}, noise_rate=None)
    config = json.loads(attempt.config)
    config["noise"] = {"name": "human"}
    attempt = replace(attempt, config=json.dumps(config), noise="human")
    land_attempt(tmp_path, attempt)
    ((run, epochs),) = read_runs(tmp_path, "tracked", [attempt.key])
    assert run.name == "fashion-mnist ce human seed 0"
    names = {name.removeprefix("epoch_") for name in METRICS}
    assert {"test_cmc1", "test_map", "learning_rate"} < names
    assert [set(figures) for figures in epochs] == [names | {"training_iteration"}] * 3
    assert [figures["test_map"] for figures in epochs] == [0.25, 0.5, 0.75]
