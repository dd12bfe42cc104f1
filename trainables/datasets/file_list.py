"""Lists of image files with labels, one `path label` a line, as large data sets publish them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.datasets import DatasetError, stays_below


@dataclass(frozen=True)
class FileList:
    """Images by name.

    Args:
        paths: relative to the folder of the images.
        labels: int64 [N].
    """

    paths: tuple[str, ...]
    labels: NDArray[np.int64]

    def first_classes(self, num_classes: int) -> FileList:
        """Only the images of classes 0 to `num_classes` - 1, in order."""
        kept = np.flatnonzero(self.labels < num_classes)
        return FileList(tuple(self.paths[index] for index in kept), self.labels[kept])

    def by_name(self) -> dict[str, int]:
        """Name → label."""
        return dict(zip(self.paths, self.labels.tolist(), strict=True))


def read_file_list(path: Path, num_classes: int) -> FileList:
    """Read a list of `path label`. Raises DatasetError, which names the line."""
    paths: list[str] = []
    labels: list[int] = []
    for number, line in _lines(path):
        name, _, label = line.rstrip().rpartition(" ")
        if not name or not label.isdecimal():
            raise DatasetError(f"{path}:{number}: not 'path label': {line[:80]!r}")
        if int(label) >= num_classes:
            raise DatasetError(f"{path}:{number}: label {label}, but there are {num_classes}")
        paths.append(_inside(name, path, number))
        labels.append(int(label))
    return FileList(tuple(paths), np.array(labels, dtype=np.int64))


def read_names(path: Path) -> tuple[str, ...]:
    """Read a list of paths without labels. Raises DatasetError, which names the line."""
    return tuple(_inside(line.strip(), path, number) for number, line in _lines(path))


def _lines(path: Path) -> list[tuple[int, str]]:
    """Lines that are not empty, with their numbers; at least one."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read: {error}") from error
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not numbered:
        raise DatasetError(f"{path} names no image")
    return numbered


def _inside(name: str, path: Path, number: int) -> str:
    """`name`, if it stays in the folder of the images."""
    if not stays_below(name):
        raise DatasetError(f"{path}:{number}: {name[:80]!r} leaves the folder of the images")
    return name
