"""Rows of words as aligned lines of text. Knows no meaning of any of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def aligned(rows: Sequence[Sequence[str]], indent: int = 0) -> Iterator[str]:
    """Each row as a line; the columns begin under one another."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        words = (word.ljust(width) for word, width in zip(row, widths, strict=True))
        yield (" " * indent + "  ".join(words)).rstrip()
