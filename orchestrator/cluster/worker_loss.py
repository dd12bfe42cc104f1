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

_USED = re.compile(r"was ([\d.]+ ?\w+)(?: used)? / ([\d.]+ ?\w+)")
_THRESHOLD = re.compile(r"threshold of (?:\d+B \(([\d.]+%)|(\d+(?:\.\d+)?))")
_MEMORY_WORDS = ("running low on memory", "memory usage threshold")
_END_OF_FILE = "connection error code 2"
"""What Ray says of a process that ended without a word, as after a signal."""

KERNEL_LINE = "the kernel ended a process because the machine ran out of memory"


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


def loss_of(error: BaseException | None, text: str = "", kernel_kills: int = 0) -> Loss:
    """What is known of the end of a worker.

    Args:
        error: as Ray raised it, if Tune has kept it; it keeps none of a kill for memory.
        text: of the latest error, which it always keeps.
        kernel_kills: how many processes the kernel has ended for lack of memory in the meantime.
    """
    if _speaks_of_memory(text):
        return Loss(LossKind.MEMORY, _memory_line(text))
    if line := memory_text(error):
        return Loss(LossKind.MEMORY, line)
    if isinstance(error, ray.exceptions.ActorDiedError):
        if error.preempted or "its node has died" in str(error):
            return Loss(LossKind.NODE, "the node was lost")
        if kernel_kills > 0 and _END_OF_FILE in str(error):
            return Loss(LossKind.MEMORY, KERNEL_LINE)
    return Loss(LossKind.WORKER, "the worker was lost")


def latest_failure(error_file: str | None) -> str:
    """The last entry of the file in which Tune notes the failures of a trial; empty if none."""
    try:
        text = Path(error_file).read_text(errors="replace") if error_file else ""
    except OSError:
        return ""
    return text.rpartition("Failure # ")[2]


def memory_text(error: BaseException | None) -> str:
    """What Ray's memory monitor says when it has ended a worker; empty if it did not."""
    while error is not None:
        is_named = isinstance(error, ray.exceptions.OutOfMemoryError)
        if is_named or _speaks_of_memory(str(error)):
            return _memory_line(str(error))
        error = error.__cause__
    return ""


def _speaks_of_memory(words: str) -> bool:
    return any(part in words for part in _MEMORY_WORDS)


def _memory_line(words: str) -> str:
    text = "Ray ended a worker because the machine ran low on memory"
    used, threshold = _USED.search(words), _THRESHOLD.search(words)
    if not (used and threshold):
        return text
    limit = threshold[1] or threshold[2]
    return f"{text} ({used[1]} of {used[2]} in use, RAY_memory_usage_threshold is {limit})"


def kernel_kills(count: Path = KERNEL_COUNT) -> int:
    """Processes that the kernel of this machine has ended for lack of memory since it started."""
    try:
        lines = count.read_text().splitlines()
    except OSError:  # no Linux
        return 0
    counts = (line.split() for line in lines)
    return next((int(number) for name, number in counts if name == "oom_kill"), 0)
