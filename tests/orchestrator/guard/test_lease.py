"""One launch of a study at a time, whatever becomes of the others."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from orchestrator.guard import lease
from orchestrator.guard.lease import Holder, LeaseHeldError, hold
from storage.durable import LandingError

ELSEWHERE = Holder("elsewhere", 1, "2026-01-01 00:00 UTC", "other")


def lease_of(store: Path) -> Path:
    return store / ".leases" / "study.json"


def write(store: Path, holder: Holder, age: float = 0.0) -> None:
    path = lease_of(store)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(holder.text)
    now = path.stat().st_mtime
    os.utime(path, (now - age, now - age))


def test_a_second_launch_is_told_who_holds_the_lease(tmp_path: Path) -> None:
    with hold(tmp_path, "study"):
        with pytest.raises(LeaseHeldError, match=rf"process {os.getpid()} on .*--join"):
            hold(tmp_path, "study").__enter__()
        with hold(tmp_path, "another"):
            pass
    with hold(tmp_path, "study"):
        pass
    assert not lease_of(tmp_path).exists()


def test_a_lease_without_heartbeat_expires(tmp_path: Path) -> None:
    write(tmp_path, ELSEWHERE, age=30)
    with pytest.raises(LeaseHeldError, match="elsewhere"):
        hold(tmp_path, "study").__enter__()
    write(tmp_path, ELSEWHERE, age=61)
    with hold(tmp_path, "study"):
        assert json.loads(lease_of(tmp_path).read_text())["pid"] == os.getpid()


def test_a_clock_set_back_takes_no_lease_away(tmp_path: Path) -> None:
    write(tmp_path, ELSEWHERE, age=-7200)
    with pytest.raises(LeaseHeldError):
        hold(tmp_path, "study").__enter__()


def test_a_dead_process_of_this_machine_holds_nothing(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from orchestrator.guard.lease import hold\n"
        "lease = hold(Path(sys.argv[1]), 'study'); lease.__enter__(); os._exit(9)"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert ended.returncode == 9
    assert lease_of(tmp_path).exists()
    with hold(tmp_path, "study"):
        pass


def test_a_process_that_nobody_has_fetched_holds_nothing(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from orchestrator.guard.lease import hold\n"
        "lease = hold(Path(sys.argv[1]), 'study'); lease.__enter__(); os._exit(9)"
    )
    ended = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie
    assert lease_of(tmp_path).exists()
    with hold(tmp_path, "study"):
        pass
    ended.wait()


def test_a_damaged_lease_is_nobodys(tmp_path: Path) -> None:
    write(tmp_path, ELSEWHERE)
    lease_of(tmp_path).write_text("{")
    with hold(tmp_path, "study"):
        pass


def test_a_store_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LandingError, match="file cannot be written"):
        hold(tmp_path / "file", "study").__enter__()


def test_waiting_ends_when_the_holder_does(tmp_path: Path) -> None:
    write(tmp_path, ELSEWHERE)
    waits: list[str] = []

    def sleep(seconds: float) -> None:
        waits.append("asleep")
        if len(waits) == 3:
            lease_of(tmp_path).unlink()

    told: list[Holder] = []
    with hold(tmp_path, "study", wait=True, on_wait=told.append, sleep=sleep):
        pass
    assert told == [ELSEWHERE]
    assert len(waits) == 3


def test_of_many_one_takes_over_from_the_dead(tmp_path: Path) -> None:
    for repeat in range(20):
        store = tmp_path / str(repeat)
        write(store, ELSEWHERE, age=1000)
        assert most_at_once(store, contenders=8) == (1, 7)


def most_at_once(store: Path, contenders: int) -> tuple[int, int]:
    """Let many ask for one lease: how many held it at once at most, how many were refused."""
    holding, most, refused = 0, 0, 0
    lock, ready, over = threading.Lock(), threading.Barrier(contenders), threading.Event()

    def contend() -> None:
        nonlocal holding, most, refused
        ready.wait()
        try:
            with hold(store, "study"):
                with lock:
                    holding += 1
                    most = max(most, holding)
                over.wait(10)
                with lock:
                    holding -= 1
        except LeaseHeldError:
            with lock:
                refused += 1
                if refused == contenders - 1:
                    over.set()

    threads = [threading.Thread(target=contend) for _ in range(contenders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return most, refused


def test_who_found_the_holder_dead_too_late_harms_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, ELSEWHERE, age=1000)
    successor = hold(tmp_path, "study")

    def overtaken(*arguments: object) -> bool:
        """Find the holder dead, and act on it only when a successor holds the lease."""
        monkeypatch.setattr(lease, "_is_alive", is_alive)
        successor.__enter__()
        return False

    is_alive = lease._is_alive
    monkeypatch.setattr(lease, "_is_alive", overtaken)
    with pytest.raises(LeaseHeldError, match=f"process {os.getpid()} on"):
        hold(tmp_path, "study").__enter__()
    assert json.loads(lease_of(tmp_path).read_text())["pid"] == os.getpid()
    successor.__exit__(None, None, None)
    assert list(lease_of(tmp_path).parent.iterdir()) == []


def test_who_died_while_taking_over_is_succeeded(tmp_path: Path) -> None:
    write(tmp_path, ELSEWHERE, age=1000)
    taker = Holder("elsewhere", 2, "2026-01-01 00:10 UTC", "taker")
    ending = lease_of(tmp_path).with_name(f".{ELSEWHERE.token}.end")
    ending.write_text(taker.text)
    with pytest.raises(LeaseHeldError, match="process 2 on elsewhere"):
        hold(tmp_path, "study").__enter__()
    os.utime(ending, (0, 0))
    with hold(tmp_path, "study"):
        assert json.loads(lease_of(tmp_path).read_text())["pid"] == os.getpid()
    assert list(lease_of(tmp_path).parent.iterdir()) == []
