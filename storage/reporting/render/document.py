"""A document before any escaping: headings, grids, captions, notes. Values only."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True)
class Cell:
    """One field of a grid: short plain text."""

    text: str
    is_bold: bool = False


@dataclass(frozen=True)
class Grid:
    """A rectangle of texts.

    Args:
        headings: one or more levels, outermost first, each as wide as the grid; equal neighbours
            in an outer level belong together.
        body: rows.
        num_labels: leading columns that name the row.
    """

    headings: tuple[tuple[str, ...], ...]
    body: tuple[tuple[Cell, ...], ...]
    num_labels: int = 1

    def spans(self, level: int) -> tuple[tuple[str, int], ...]:
        """Headings of one level with their widths, the row labels' left out.

        Neighbours join if they are equal in this and every outer level; the innermost level names
        single columns.
        """
        columns = list(zip(*self.headings, strict=True))[self.num_labels :]
        if level == len(self.headings) - 1:
            return tuple((column[level], 1) for column in columns)
        runs = groupby(column[: level + 1] for column in columns)
        return tuple((outer[level], len(list(run))) for outer, run in runs)

    @property
    def flat_headings(self) -> tuple[str, ...]:
        """The levels of each column in one line."""
        columns = zip(*self.headings, strict=True)
        return tuple(", ".join(part for part in column if part) for column in columns)


@dataclass(frozen=True)
class Section:
    """A grid with the sentences above or below it and its notes; either may be absent."""

    heading: str
    caption: tuple[str, ...] = ()
    grid: Grid | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Document:
    """What every text format renders."""

    title: str
    lead: tuple[str, ...]
    sections: tuple[Section, ...]


def printable(text: str) -> str:
    """Text without anything that could act: control, format and line-breaking characters."""
    unsafe = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
    return "".join("�" if unicodedata.category(char) in unsafe else char for char in text)


def printables(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(printable(text) for text in texts)
