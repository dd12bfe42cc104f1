"""What all figures share: colours, dashes, names made inert, axes that suit light and dark."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from storage.reporting.render.document import printable
from storage.reporting.table import Header

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F")
"""Okabe and Ito's palette: told apart with any colour vision; grey in place of black."""
MORE_COLOURS = ("#AA4499", "#999933", "#882255")
"""Three of Tol's, where a picture has more lines than the palette has colours."""
DASHES = ("solid", "dash", "dot", "dashdot")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "cross")


def name_of(header: Header) -> str:
    """A header as plotly shows it: its small HTML dialect is escaped."""
    return escape(printable(", ".join(header)))


def text_of(text: str) -> str:
    """Any text as plotly shows it."""
    return escape(printable(text))


def subscripted(text: str) -> str:
    """Any text as plotly shows it, with the k of z_k below the line."""
    return re.sub(r"\b(\w)_(\w)\b", r"\1<sub>\2</sub>", text_of(text))


def colour_of(number: int) -> str:
    """The colour that a picture's line asks for by number."""
    colours = (*COLOURS, *MORE_COLOURS)
    return colours[number % len(colours)]


def look(index: int) -> tuple[str, str, str]:
    """Colour, dash and marker of the i-th line; colours repeat only with another dash."""
    return (
        COLOURS[index % len(COLOURS)],
        DASHES[(index // len(COLOURS)) % len(DASHES)],
        SYMBOLS[index % len(SYMBOLS)],
    )


def transparent(colour: str, opacity: float) -> str:
    """`#rrggbb` → `rgba(…)`."""
    red, green, blue = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def layout(axes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Layout without a title or a background of its own: both are the page's."""
    grid = {"gridcolor": "rgba(128,128,128,0.25)", "zerolinecolor": "rgba(128,128,128,0.4)"}
    return {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "#808080"},
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "#808080"},
        "legend": {"orientation": "h", "y": -0.25},
        "margin": {"l": 60, "r": 20, "t": 50, "b": 60},
        **{name: {**grid, **axis} for name, axis in axes.items()},
    }


def is_number(text: str) -> bool:
    """Whether a field's value can stand on a numeric axis."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def without(header: Header, fields: Sequence[str], left_out: str) -> Header:
    """A header without one of its fields."""
    return tuple(v for name, v in zip(fields, header, strict=True) if name != left_out)
