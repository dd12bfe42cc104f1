"""A run that finds no room for its own notes begins once there is room."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from orchestrator import executor, space
from orchestrator.attempts import LaunchSettings
from orchestrator.drain import Drain
from orchestrator.executor import Executor, _Sweep
from orchestrator.packing import Resources
from orchestrator.progress import Progress
from tests.orchestrator.test_trial import settings, task

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
    monkeypatch.setattr(space, "PAUSE_SECONDS", 0)
    heard = Heard()
    sweep = _Sweep(settings, heard, Drain(tmp_path / "drain", heard.note))
    Executor(None, Resources(), tmp_path)._run_chunk(sweep, [(task(),)], 0.0, None)
    assert begun == ["tried", "tried", "tried", "ran"]
    assert len(heard.notes) == 2
    assert heard.notes[0].startswith("waiting for room to begin a run: ")
