"""A trial that lost its worker for lack of memory is not held against its cells."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cluster.executor import _ease, _Sweep
from orchestrator.cluster.memory_pressure import MOST_ALONE, MemoryPressure
from orchestrator.cluster.tune_callback import Events
from orchestrator.cluster.tune_search import Feeder, trial_id
from orchestrator.guard.breaker import Breaker
from orchestrator.guard.drain import Drain
from orchestrator.progress import Progress
from orchestrator.sweep.attempt import LaunchSettings
from orchestrator.sweep.errors import ExecutorError
from storage import Store
from tests.orchestrator.cluster.test_trial import settings, task
from tests.orchestrator.cluster.test_worker_loss import NEWER, SUDDEN

__all__ = ["settings"]


@dataclass
class Trial:
    """What Tune hands to a callback."""

    trial_id: str
    error_file: str
    num_failures: int = 1
    max_failures: int = 3

    def get_pickled_error(self) -> None:
        return None


@dataclass
class Heard(Progress):
    notes: list[str] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def trial_ended(self, key: str, outcome: str) -> None:
        self.outcomes.append(outcome)


def test_the_cell_stays_due_and_no_more_are_fed(settings: LaunchSettings, tmp_path: Path) -> None:
    stack, heard = (task(),), Heard()
    events = Events([stack], settings, heard, Breaker(), 0.0)
    notes = tmp_path / "error.txt"
    notes.write_text(f"Failure # 1 (occurred at 1)\n{NEWER}")
    trial = Trial(trial_id(stack), str(notes))
    events.on_trial_recover(trial)
    assert "20.02GB of 23.54GB" in events.shortage
    assert trial.max_failures == 1  # one more try in this run
    notes.write_text(f"{notes.read_text()}Failure # 2 (occurred at 2)\n{SUDDEN}")
    events.on_trial_error(trial)
    assert (heard.outcomes, events.ended) == (["interrupted"], set())
    ((error_class),) = Store(settings.store).rows("select error_class from failures")
    assert error_class == ("memory_kill",)

    drain = Drain(tmp_path / "drain", heard.note)
    feeder = Feeder([stack], settings, drain, Breaker(), None, lambda: bool(events.shortage))
    assert feeder.next_trial() is None
    assert feeder.is_finished()


def test_without_a_shortage_a_lost_worker_is_a_failure(
    settings: LaunchSettings, tmp_path: Path
) -> None:
    stack, heard = (task(),), Heard()
    events = Events([stack], settings, heard, Breaker(), 0.0)
    notes = tmp_path / "error.txt"
    notes.write_text(f"Failure # 1 (occurred at 1)\n{SUDDEN}")
    events.on_trial_error(Trial(trial_id(stack), str(notes)))
    assert heard.outcomes == ["failed"]


def test_a_launch_that_never_has_enough_ends_with_one_line(
    settings: LaunchSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(
        "orchestrator.cluster.executor._rest", lambda drain, seconds: waited.append(seconds)
    )
    heard = Heard()
    sweep = _Sweep(settings, heard, Drain(tmp_path / "drain", heard.note))
    pressure: Any = MemoryPressure()
    for _ in range(MOST_ALONE):
        _ease(sweep, pressure, "no memory", 2, has_settled=False)
    with pytest.raises(ExecutorError, match="the same command goes on") as error:
        _ease(sweep, pressure, "no memory", 2, has_settled=False)
    assert "\n" not in str(error.value)
    assert waited == [5, 10, 20]
    assert heard.notes[0] == "no memory; after 5 s no more than 1 trial at once"
