"""Code of a cell that ends the process is an error of that cell."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from orchestrator.cluster.exits import ProcessEndedError, exits_as_errors
from orchestrator.sweep.attempt import _classify


@pytest.mark.parametrize(
    ("leave", "call"),
    [
        (lambda: sys.exit(3), "sys.exit(3)"),
        (lambda: sys.exit("bye"), "sys.exit('bye')"),
        (lambda: os._exit(4), "os._exit(4)"),
    ],
)
def test_an_exit_is_named(leave, call: str) -> None:
    really_exit = os._exit
    with pytest.raises(ProcessEndedError) as error, exits_as_errors():
        try:
            leave()
        except Exception:  # noqa: BLE001 - code that catches all errors does not catch an exit
            pytest.fail("the exit was taken for an error")
    assert call in str(error.value)
    assert os._exit is really_exit


def test_a_forked_child_and_another_thread_end_as_they_like(monkeypatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(os, "_exit", calls.append)
    with exits_as_errors():
        thread = threading.Thread(target=os._exit, args=[70])
        thread.start()
        thread.join()
        monkeypatch.setattr(os, "getpid", lambda: -1)
        os._exit(0)
    assert calls == [70, 0]


def test_a_failed_allocation_on_the_cpu_is_a_lack_of_memory() -> None:
    texts = [
        "[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you "
        "tried to allocate 4000000000000 bytes. Error code 12 (Cannot allocate memory)",
        "DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes.",
        "std::bad_alloc",
    ]
    assert {_classify(RuntimeError(text)) for text in texts} == {"out_of_memory"}
    assert _classify(MemoryError()) == "out_of_memory"
    assert _classify(OSError(12, "Cannot allocate memory")) == "out_of_memory"
    assert _classify(RuntimeError("shapes do not match")) == "exception"
