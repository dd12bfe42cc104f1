"""What keeps one fault from costing more than it must."""

from __future__ import annotations

import errno
import threading

import pytest

from orchestrator.guard.breaker import Breaker
from orchestrator.guard.full_disk import insist, is_disk_full
from orchestrator.guard.watchdog import Watchdog
from storage.durable import LandingError


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_epoch_may_take_a_multiple_of_those_before() -> None:
    clock, hangs = Clock(), []
    dog = Watchdog(hangs.append, first_epoch_seconds=1000, floor_seconds=50, clock=clock)
    clock.now = 900
    assert not dog.check()
    dog.epoch_ended()
    for _ in range(3):
        clock.now += 10
        dog.epoch_ended()
    assert dog.allowed_seconds == 200
    clock.now += 199
    assert not dog.check()
    clock.now += 2
    assert dog.check()
    assert hangs == [201]


def test_steps_keep_a_long_epoch_alive() -> None:
    clock, hangs = Clock(), []
    dog = Watchdog(hangs.append, floor_seconds=50, clock=clock)
    clock.now = 1
    dog.epoch_ended()  # the short rest of an epoch that was begun before
    for _ in range(100):
        clock.now += 40
        dog.step_ended()
        assert not dog.check()
    dog.epoch_ended()
    clock.now += 51
    assert not dog.check(), "an epoch took 4000 s before"


def test_short_epochs_have_a_floor() -> None:
    clock = Clock()
    dog = Watchdog(lambda _: None, floor_seconds=900, clock=clock)
    clock.now = 0.5
    dog.epoch_ended()
    assert dog.allowed_seconds == 900


def test_the_watchdog_barks_from_its_own_thread_and_rests_after_the_run() -> None:
    barked = threading.Event()
    names: list[str] = []

    def on_hang(seconds: float) -> None:
        names.append(threading.current_thread().name)
        barked.set()

    with Watchdog(on_hang, first_epoch_seconds=0.02, floor_seconds=0.02):
        assert barked.wait(5)
    assert names == ["watchdog"]


def test_the_breaker_opens_for_one_loss_at_the_third_equal_failure() -> None:
    breaker = Breaker()
    assert not breaker.record("mine", "trace A")
    assert not breaker.record("mine", "trace B")
    assert not breaker.record("mine", "trace A")
    assert not breaker.stops("mine")
    assert breaker.record("mine", "trace A")
    assert not breaker.record("mine", "trace A"), "it opens once"
    assert breaker.stops("mine")
    assert breaker.stops("mine")
    assert not breaker.stops("ce")
    assert breaker.held_back == {"mine": 2}


def test_a_full_disk_is_waited_for() -> None:
    full = [True, True, False]
    reasons: list[str] = []

    def write() -> str:
        if full.pop(0):
            raise LandingError("cannot write") from OSError(errno.ENOSPC, "No space left on device")
        return "written"

    waits: list[float] = []
    done = insist(write, on_wait=reasons.append, should_stop=lambda: False, sleep=waits.append)
    assert done == "written"
    assert reasons == ["cannot write"] * 2
    assert len(waits) == 2


def test_other_errors_and_a_stop_end_the_waiting() -> None:
    def no_right() -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    def full() -> None:
        raise OSError(errno.EDQUOT, "Disk quota exceeded")

    with pytest.raises(PermissionError):
        insist(no_right, on_wait=print, should_stop=lambda: False)
    with pytest.raises(OSError, match="quota"):
        insist(full, on_wait=print, should_stop=lambda: True)
    assert is_disk_full(OSError(errno.ENOSPC, ""))
    assert not is_disk_full(ValueError())
