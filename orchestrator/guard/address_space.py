"""A limit of the address space (`ulimit -v`) that is too small, told in one line.

What needs more of it than there is fails in many ways and places, from a library that cannot be
mapped to a thread that cannot be started; the limit itself is the thing to tell.
"""

from __future__ import annotations

SIGNS = (
    "failed to map segment",
    "cannot allocate memory",
    "can't allocate memory",
    "can't start new thread",
    "unable to mmap",
    "std::bad_alloc",
)
"""What such a failure says, in lower case."""


def limit_line(error: BaseException) -> str:
    """The limit that `error` comes from; empty if there is none, or it is of another kind."""
    limit = limit_bytes()
    if limit is None or not _is_of_memory(error):
        return ""
    return (
        f"a process may take {limit / 2**30:.1f} GiB of address space (ulimit -v {limit // 1024}), "
        "which torch and Ray need more than; `ulimit -v unlimited` lifts the limit, and memory "
        "is better limited by a container or the queue"
    )


def limit_bytes() -> int | None:
    """The limit of this process; None for no limit."""
    try:
        import resource
    except ImportError:  # no Unix
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if soft == resource.RLIM_INFINITY else soft


def _is_of_memory(error: BaseException | None) -> bool:
    while error is not None:
        words = str(error).lower()
        if isinstance(error, MemoryError) or any(sign in words for sign in SIGNS):
            return True
        error = error.__cause__ or error.__context__
    return False
