"""Why a worker was lost, read from what Ray and the kernel say: machine, memory, or its own end.

Ray tells most of it in words only, so the words are here and nowhere else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import ray

KERNEL_COUNT = Path("/proc/vmstat")
"""Where Linux counts the processes that it has ended for lack of memory."""

_USED = re.compile(r"was ([\d.]+ ?\w+) / ([\d.]+ ?\w+) \(.*?threshold of (\d+(?:\.\d+)?)", re.DOTALL)
_MEMORY_WORDS = ("running low on memory", "memory usage threshold")
_END_OF_FILE = "connection error code 2"
"""What Ray says of a process that ended without a word, as after a signal."""


class LossKind(StrEnum):
    """Who or what ended a worker; the word is the class of failure in the store."""

    NODE = "node_lost"
    MEMORY = "memory_kill"
    WORKER = "worker_died"


@dataclass(frozen=True)
class Loss:
    """A worker that was lost.

    Args:
        kind: by whom or what.
        text: one line that says so.
    """

    kind: LossKind
    text: str


def loss_of(error: BaseException | None, kernel_kills: int = 0) -> Loss:
    """What an error of Ray says about the worker it comes from.

    Args:
        error: as Ray raised it, or with that one as its cause.
        kernel_kills: how many processes the kernel has ended for lack of memory in the meantime.
    """
    if text := memory_text(error):
        return Loss(LossKind.MEMORY, text)
    if isinstance(error, ray.exceptions.ActorDiedError):
        if error.preempted or "its node has died" in str(error):
            return Loss(LossKind.NODE, "the node was lost")
        if kernel_kills and _END_OF_FILE in str(error):
            return Loss(
                LossKind.MEMORY,
                "the kernel ended a process because the machine ran out of memory",
            )
    return Loss(LossKind.WORKER, "the worker was lost")


def memory_text(error: BaseException | None) -> str:
    """What Ray's memory monitor says when it has ended a worker; empty if it did not."""
    while error is not None:
        words = str(error)
        is_named = isinstance(error, ray.exceptions.OutOfMemoryError)
        if is_named or any(part in words for part in _MEMORY_WORDS):
            return _memory_line(words)
        error = error.__cause__
    return ""


def _memory_line(words: str) -> str:
    text = "Ray ended a worker because the machine ran low on memory"
    found = _USED.search(words)
    if not found:
        return text
    used, total, threshold = found.groups()
    return f"{text} ({used} of {total} in use, RAY_memory_usage_threshold is {threshold})"


def kernel_kills(count: Path = KERNEL_COUNT) -> int:
    """Processes that the kernel of this machine has ended for lack of memory since it started."""
    try:
        lines = count.read_text().splitlines()
    except OSError:  # no Linux
        return 0
    counts = (line.split() for line in lines)
    return next((int(number) for name, number in counts if name == "oom_kill"), 0)
