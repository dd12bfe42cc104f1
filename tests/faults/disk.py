"""A disk that fails at a chosen moment: every change that a process asks of it is counted.

Counted are links, renames, removals, new folders, fsyncs, and the writing of each new file (which
is torn in the middle). Files that are opened in any other way are not watched.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

import pytest

CHANGES = ("link", "fsync", "replace", "rename", "unlink", "mkdir")


class Killed(BaseException):
    """Stands for SIGKILL: nothing that the process does after it has any effect."""


class Fault(StrEnum):
    """What happens at the chosen change."""

    ERROR = "input/output error, once"
    FULL = "no space left, from then on"
    KILLED_BEFORE = "killed before it takes effect"
    KILLED_AFTER = "killed after it took effect"


class Disk:
    """Counts changes and lets the `step`-th (from 1) go wrong.

    After a kill every change fails, so clean-up code has no effect either.
    """

    def __init__(self, fault: Fault, step: int) -> None:
        self.fault, self.step, self.changes = fault, step, 0

    @property
    def has_struck(self) -> bool:
        return self.changes >= self.step

    def change(self, act: Any, *arguments: Any, torn: Any = None, **options: Any) -> Any:
        """Do `act`, or let it go wrong, half done (`torn`) if it can be."""
        self.changes += 1
        is_turn = self.changes == self.step
        if is_turn and self.fault is Fault.KILLED_AFTER:
            act(*arguments, **options)
        elif is_turn and torn:
            torn()
        if is_turn and self.fault is Fault.ERROR:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if self.has_struck and self.fault is Fault.FULL and act is not _real["unlink"]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self.has_struck and self.fault in (Fault.KILLED_BEFORE, Fault.KILLED_AFTER):
            raise Killed
        return act(*arguments, **options)


class _File:
    """A new file on such a disk."""

    def __init__(self, file: BinaryIO, disk: Disk) -> None:
        self._file, self._disk = file, disk

    def write(self, content: Any) -> int:
        half = memoryview(content)[: len(content) // 2]
        written: int = self._disk.change(
            self._file.write, content, torn=lambda: self._file.write(half)
        )
        return written

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


_real = {name: getattr(os, name) for name in CHANGES}


@contextmanager
def failing_disk(fault: Fault, step: int) -> Iterator[Disk]:
    """Within, changes of this process go through such a disk."""
    disk, open_really = Disk(fault, step), Path.open

    def guarded(name: str) -> Any:
        def call(*arguments: Any, **options: Any) -> Any:
            return disk.change(_real[name], *arguments, **options)

        return call

    def open_guarded(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        file = open_really(path, mode, *arguments, **options)
        return _File(file, disk) if mode == "xb" else file

    with pytest.MonkeyPatch.context() as patch:
        for name in CHANGES:
            patch.setattr(os, name, guarded(name))
        patch.setattr(Path, "open", open_guarded)
        yield disk
