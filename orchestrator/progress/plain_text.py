"""Text from stores, studies and errors, made harmless before a terminal sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

MOST_CHARACTERS = 1_000
"""Of a line that tells of an error."""

_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""What moves the cursor, rings, changes colours or turns the direction of what follows."""
_HALVES = re.compile("[\ud800-\udfff]")
"""Half characters, as in file names that are no UTF-8; they cannot be written."""

STAND_IN = "\ufffd"
"""As wide as what it stands for, so that columns stay aligned."""


def harmless(text: str) -> str:
    """`text` without characters that command a terminal; tabs and line ends stay."""
    return _HALVES.sub(STAND_IN, _COMMANDS.sub(STAND_IN, text))


def one_line(text: str, pointer: str = "") -> str:
    """`text` as one line of bearable length.

    Args:
        pointer: where the whole text can be read, said if it is cut.
    """
    line = harmless(" ".join(text.split()))
    if len(line) <= MOST_CHARACTERS:
        return line
    kept = line[:MOST_CHARACTERS].rstrip()
    return f"{kept}… ({len(line):,} characters{f', see: {pointer}' if pointer else ''})"


class Harmless:
    """Something that rich draws, with harmless text."""

    def __init__(self, drawn: RenderableType) -> None:
        self._drawn = drawn

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        from rich.segment import Segment

        for part in console.render(self._drawn, options):
            yield part if part.control else Segment(harmless(part.text), part.style)
