"""A run that finds no room for its own notes begins once there is room."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cluster import executor
from orchestrator.cluster.executor import Executor, _Sweep
from orchestrator.guard import full_disk
from orchestrator.guard.drain import Drain
from orchestrator.progress import Progress
from orchestrator.study.resources import Resources
from orchestrator.sweep.attempt import LaunchSettings
from tests.orchestrator.cluster.test_trial import settings, task

__all__ = ["settings"]


class Heard(Progress):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_a_full_disk_only_puts_off_a_run(
    settings: LaunchSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    class Tuner:
        def __init__(self, *_: Any, **__: Any) -> None:
            begun.append("tried")
            if len(begun) < 3:
                raise OSError(errno.ENOSPC, "No space left on device")

        def fit(self) -> None:
            begun.append("ran")

    monkeypatch.setattr(executor.tune, "Tuner", Tuner)
    monkeypatch.setattr(full_disk, "PAUSE_SECONDS", 0)
    heard = Heard()
    sweep = _Sweep(settings, heard, Drain(tmp_path / "drain", heard.note))
    Executor(None, Resources(), tmp_path)._run_chunk(sweep, [(task(),)], 0.0, None)
    assert begun == ["tried", "tried", "tried", "ran"]
    assert len(heard.notes) == 2
    assert heard.notes[0].startswith("waiting for room to begin a run: ")
