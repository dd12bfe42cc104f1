"""Code of a cell that ends its process: an error with its place, not a worker that is gone."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


class ProcessEndedError(Exception):
    """Code of a cell wanted to end the process it runs in."""


@contextmanager
def exits_as_errors() -> Iterator[None]:
    """Within, `sys.exit` and `os._exit` of this thread raise ProcessEndedError.

    A forked child ends as it likes, and so does another thread: the watchdog must be able to.
    """
    really_exit, process, thread = os._exit, os.getpid(), threading.get_ident()

    def exit_here(status: int) -> NoReturn:
        if os.getpid() == process and threading.get_ident() == thread:
            raise _Exit(f"os._exit({status})")
        really_exit(status)

    os._exit = exit_here
    try:
        yield
    except _Exit as error:
        raise _ended(str(error)) from error
    except SystemExit as error:
        raise _ended(f"sys.exit({error.code!r})") from error
    finally:
        os._exit = really_exit


class _Exit(SystemExit):
    """`os._exit` promises that no code of the caller runs after it; few catch this one."""


def _ended(call: str) -> ProcessEndedError:
    return ProcessEndedError(f"its code ends the process by {call}; no code of a cell may do that")
