"""Where a cluster is, and whether it still lives: asked of Ray with a limit of time.

Ray itself waits for a head that is gone for a minute, and for a raylet that is gone for ever.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import ray
from ray import NodeID
from ray._private import services, worker
from ray._raylet import GcsClient  # type: ignore[attr-defined]

from orchestrator.sweep.errors import ExecutorError
from orchestrator.sweep.reach import ANSWER_SECONDS, check_speaks

LOOK_SECONDS = 1.0
SILENT_SECONDS = 60.0
"""A head that answers nothing for so long, on a machine however busy, is gone."""

ESSENTIAL = {"gcs_server": "GCS", "raylet": "raylet"}
"""Processes of a private cluster without which nothing runs; other ones Ray itself can miss."""


def find_head(address: str) -> str:
    """The address of a head that answers, also for `auto`. Raises ExecutorError."""
    if address.startswith("ray://"):
        check_speaks(address)
        return address
    try:
        found = services.canonicalize_bootstrap_address(address) if address == "auto" else address
    except ConnectionError:
        found = None
    if not found:
        raise ExecutorError(f"no Ray cluster at {address}: none was started on this machine")
    check_speaks(found)
    try:
        GcsClient(address=found).check_alive([], timeout=ANSWER_SECONDS)
    except Exception as error:
        raise ExecutorError(
            f"no Ray head at {found}: it does not answer as one ({first_line(error)})"
        ) from error
    return found


def watch(on_loss: Callable[[str], None]) -> None:
    """Call `on_loss` once, from a thread, when the cluster that `ray.init` has reached is gone."""
    if worker.global_worker.mode is None:
        return  # of Ray Client, which has no raylet of its own
    threading.Thread(target=_watch, args=[on_loss], name="liveness", daemon=True).start()


def _watch(on_loss: Callable[[str], None]) -> None:
    node = worker._global_node
    client = worker.global_worker.gcs_client
    ours = NodeID(bytes.fromhex(ray.get_runtime_context().get_node_id()))
    answered = time.monotonic()
    while True:
        time.sleep(LOOK_SECONDS)
        if reason := _dead_process(node):
            break
        try:
            (lives,) = client.check_alive([ours], timeout=5)
            answered = time.monotonic()
        except ray.exceptions.RayError:
            lives = True
        if not lives:
            reason = "its node counts as dead"
            break
        if time.monotonic() - answered > SILENT_SECONDS:
            reason = f"its head has not answered for {SILENT_SECONDS:g} s"
            break
    on_loss(reason)


def _dead_process(node: Any) -> str:
    """Which essential process of a private cluster has ended; empty if none has."""
    for kind, name in ESSENTIAL.items():
        for started in node.all_processes.get(kind, ()):
            if started.process.poll() is not None:
                return f"its {name} has ended"
    return ""


def first_line(error: Exception) -> str:
    """What an error of Ray says, without the page that often follows."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
