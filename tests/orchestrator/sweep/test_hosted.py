"""A launch and its hosts, with hosts that follow a script instead of running Ray."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from orchestrator.guard.drain import Drain
from orchestrator.progress import Progress
from orchestrator.study.resources import Resources
from orchestrator.sweep import hosted
from orchestrator.sweep.errors import ClusterLostError, ExecutorError
from orchestrator.sweep.hosted import HostedExecutor
from orchestrator.sweep.wire import Event, Facts, Lost, Order, Raised, Run


class Heard(Progress):
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.ended: list[tuple[str, str]] = []

    def note(self, message: str) -> None:
        self.notes.append(message)

    def trial_ended(self, key: str, outcome: str) -> None:
        self.ended.append((key, outcome))


class ScriptedHost:
    """Says its part, one message after another; None of a message is a moment of silence."""

    scripts: ClassVar[list[list[Any]]] = []
    asked: ClassVar[list[Any]] = []

    def __init__(self, log: Path) -> None:
        self._script = iter(self.scripts.pop(0))
        self.is_ended = False

    def send(self, message: object) -> None:
        self.asked.append(message)

    def receive(self) -> Any:
        message = next(self._script)
        return message() if callable(message) else message

    def end(self) -> None: ...

    def kill(self) -> None: ...


@pytest.fixture
def drain(tmp_path: Path) -> Drain:
    return Drain(tmp_path / "drain", lambda _: None)


@pytest.fixture
def order(tmp_path: Path, drain: Drain) -> Order:
    return Order(None, Resources(), tmp_path, None, tmp_path / "p", drain.file, tmp_path, "study")


def run(
    scripts: Sequence[Sequence[Any]],
    order: Order,
    drain: Drain,
    heard: Heard,
    monkeypatch: pytest.MonkeyPatch,
) -> list[list[str]]:
    """The keys that each host was asked to run."""
    monkeypatch.setattr(hosted, "Host", ScriptedHost)
    ScriptedHost.scripts, ScriptedHost.asked = [list(script) for script in scripts], []
    stacks: Any = [(FakeTask("a"),), (FakeTask("b"),)]
    settings: Any = None
    with HostedExecutor(order, drain, heard) as executor:
        executor.run(stacks, settings, heard)
    runs = [message for message in ScriptedHost.asked if isinstance(message, Run)]
    return [[task.key for stack in each.stacks for task in stack] for each in runs]


class FakeTask:
    def __init__(self, key: str) -> None:
        self.key = key


READY = Facts(slots=2)


def started(key: str) -> Event:
    return Event("trial_started", (key,))


def ended(key: str, outcome: str = "finished") -> Event:
    return Event("trial_ended", (key, outcome))


def test_a_lost_cluster_is_replaced_for_what_is_still_due(order, drain, monkeypatch) -> None:
    heard = Heard()
    first = [READY, started("a"), started("b"), ended("a"), Lost("its GCS has ended")]
    runs = run(
        [first, [READY, started("b"), None, ended("b"), READY]], order, drain, heard, monkeypatch
    )
    assert runs == [["a", "b"], ["b"]]
    assert heard.ended == [("a", "finished"), ("b", "finished")]
    (note,) = heard.notes
    assert note == "the Ray cluster was lost (its GCS has ended); going on with a new one"


def test_two_losses_without_an_epoch_end_the_launch(order, drain, monkeypatch) -> None:
    heard = Heard()
    scripts = [[READY, started("a"), Lost("one")], [READY, started("a"), Lost("two")]]
    with pytest.raises(ClusterLostError, match="lost 2 times: two"):
        run(scripts, order, drain, heard, monkeypatch)


def test_losses_with_epochs_in_between_do_not(order, drain, monkeypatch) -> None:
    moving = [READY, started("a"), Event("trial_advanced", ("a", 1)), Lost("again")]
    runs = run([moving, moving, moving, [READY, READY]], order, drain, Heard(), monkeypatch)
    assert len(runs) == 4


def test_a_cluster_that_does_not_come_is_tried_once_more(order, drain, monkeypatch) -> None:
    runs = run([[Lost("early")], [READY, READY]], order, drain, Heard(), monkeypatch)
    assert runs == [["a", "b"]]
    with pytest.raises(ClusterLostError, match="lost 2 times: late"):
        run([[Lost("early")], [Lost("late")]], order, drain, Heard(), monkeypatch)


def test_a_joined_cluster_that_is_gone_is_one_line(order, drain, monkeypatch) -> None:
    gone = Raised(ExecutorError("no Ray cluster at head:6379: connection refused"))
    with pytest.raises(ClusterLostError, match=r"lost \(died\), and no Ray cluster at head:6379"):
        run([[READY, Lost("died")], [gone]], order, drain, Heard(), monkeypatch)
    with pytest.raises(ExecutorError, match="no Ray cluster") as raised:
        run([[gone]], order, drain, Heard(), monkeypatch)
    assert not isinstance(raised.value, ClusterLostError)


def test_a_drain_ends_the_waiting_for_a_cluster(order, drain, monkeypatch) -> None:
    assert run([[None, lambda: drain.begin("stop")]], order, drain, Heard(), monkeypatch) == []


def test_a_cluster_lost_in_a_drain_is_not_replaced(order, drain, monkeypatch) -> None:
    script = [READY, started("a"), lambda: drain.begin("stop"), Lost("killed")]
    runs = run([script], order, drain, heard := Heard(), monkeypatch)
    assert runs == [["a", "b"]]
    assert heard.notes == []


def test_workers_are_told_of_a_drain_until_they_can_be(order, drain, monkeypatch) -> None:
    """A full disk may keep the first word back."""

    def begin() -> None:
        drain.begin("stop")
        drain.file.unlink()

    run([[READY, begin, None, READY]], order, drain, Heard(), monkeypatch)
    assert drain.file.exists()
