"""A process that trains: its cores and its memory."""

from __future__ import annotations

import ctypes
from functools import cache

import torch

from trainables.isolation.state import Change, ProcessState

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Numbers of glibc's `mallopt`."""

BLOCK_BYTES, KEPT_BYTES = 1 << 30, (1 << 31) - 1
"""The largest block that is kept, and how much of the freed memory; both may be an int at most."""


def set_up_process(threads: int) -> None:
    """Let torch use `threads` cores, and keep freed memory for the next step."""
    torch.set_num_threads(threads)
    _keep_freed_memory()


def return_to_clean_state() -> tuple[Change, ...]:
    """Restore the settings that the process had when this was first called, before any run.

    Returns:
        What cannot be restored: then the process should end.
    """
    return _clean_state().restore()


@cache
def _clean_state() -> ProcessState:
    return ProcessState.of_numbers()


def _keep_freed_memory() -> None:
    """Ask glibc, if that is the C library, not to return what is freed to the system.

    A step frees activations as large as those of the next. By default each such block comes anew
    from the system, which zeroes every page of it: a quarter of the time of a small ResNet on a
    CPU. The peak is reached in any case.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):
        return
    mallopt(M_MMAP_THRESHOLD, BLOCK_BYTES)
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
