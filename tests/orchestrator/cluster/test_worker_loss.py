"""Who ended a worker, as far as Ray and the kernel tell."""

from __future__ import annotations

from pathlib import Path

import pytest
import ray

from orchestrator.cluster.worker_loss import (
    LossKind,
    kernel_kills,
    latest_failure,
    loss_of,
    memory_text,
)

MONITOR = (
    "Task was killed due to the node running low on memory.\n"
    "Memory on the node (IP: 127.0.0.1, ID: 4f) where the task was running was "
    "5.02GB / 23.54GB (0.213), which exceeds the memory usage threshold of 0.01. Ray killed this "
    "worker because it was the most recently scheduled task."
)
NEWER = (
    "1 worker(s) were killed due to the node running low on memory. Memory on the node (IP: "
    "192.0.2.2, ID: 3e5f) was 20.02GB used / 23.54GB limit (0.850426)\n"
    "OOM kill reason: Memory usage 21326491648B exceeded threshold of 252765008B (1.0% of "
    "25276502016B limit)\n"
)
SUDDEN = "Worker unexpectedly exits with a connection error code 2. End of file."


class Died(ray.exceptions.ActorDiedError):
    """With a text of its own, which Ray makes of many parts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.error_msg = text

    def __str__(self) -> str:
        return self.error_msg


def test_the_memory_monitor_is_named_with_memory_and_threshold() -> None:
    line = (
        "Ray ended a worker because the machine ran low on memory "
        "(5.02GB of 23.54GB in use, RAY_memory_usage_threshold is 0.01)"
    )
    aborted = RuntimeError("Caught unexpected exception")
    aborted.__cause__ = ray.exceptions.OutOfMemoryError(MONITOR)
    for error in (aborted, ray.exceptions.OutOfMemoryError(MONITOR), Died(MONITOR)):
        loss = loss_of(error)
        assert (loss.kind, loss.text) == (LossKind.MEMORY, line)
    assert memory_text(ray.exceptions.OutOfMemoryError("as another version says it"))


@pytest.mark.parametrize(
    ("error", "kills", "kind"),
    [
        (Died(SUDDEN), 1, LossKind.MEMORY),
        (Died(SUDDEN), 0, LossKind.WORKER),
        (Died("its code ended it with exit code 3"), 1, LossKind.WORKER),
        (Died("The actor died because its node has died."), 1, LossKind.NODE),
        (None, 1, LossKind.WORKER),
    ],
)
def test_other_ends_are_told_apart(error: Exception | None, kills: int, kind: LossKind) -> None:
    assert loss_of(error, "", kills).kind is kind


def test_of_such_a_kill_tune_keeps_a_text_only(tmp_path: Path) -> None:
    notes = tmp_path / "error.txt"
    notes.write_text(f"Failure # 1 (occurred at 1)\n{SUDDEN}\nFailure # 2 (occurred at 2)\n{NEWER}")
    loss = loss_of(None, latest_failure(str(notes)))
    assert loss.kind is LossKind.MEMORY
    assert loss.text.endswith("(20.02GB of 23.54GB in use, RAY_memory_usage_threshold is 1.0%)")
    notes.write_text(f"{notes.read_text()}Failure # 3 (occurred at 3)\n{SUDDEN}")
    assert loss_of(None, latest_failure(str(notes))).kind is LossKind.WORKER
    assert latest_failure(None) == latest_failure(str(tmp_path / "none")) == ""


def test_the_kernel_counts_what_it_ended(tmp_path: Path) -> None:
    count = tmp_path / "vmstat"
    count.write_text("nr_free_pages 7\noom_kill 12\noom_kill_x 3\n")
    assert kernel_kills(count) == 12
    assert kernel_kills(tmp_path / "none") == 0
