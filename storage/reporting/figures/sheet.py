"""Where the panels of a picture lie on a sheet: pixels in, fractions of the sheet out."""

from __future__ import annotations

from dataclasses import dataclass

from storage.reporting.figures.picture import Panel, Picture

LETTER, CAPITAL = 0.55, 0.72
"""Mean width of a letter, in font sizes."""

LEADER = 16
"""Pixels between a panel and its labels, crossed by a short line of the label's colour."""

COLOUR_BAR = 5.5
"""Width of the colour bar of a plane with its numbers, in font sizes."""


@dataclass(frozen=True)
class Sheet:
    """What a picture is drawn on, in pixels.

    Attributes:
        is_fixed: whether the drawing keeps `width`; else it follows its window.
        most_columns: panels side by side at most, whatever the picture asks for.
    """

    width: int
    panel_height: int
    font_size: int
    line_width: float
    most_columns: int
    is_fixed: bool


SCREEN = Sheet(980, 330, 12, 2.0, 3, is_fixed=False)
COLUMN = Sheet(317, 190, 9, 1.4, 1, is_fixed=True)
"""One column of a paper, 3.3 inches wide at 96 dots an inch."""


@dataclass(frozen=True)
class Frame:
    """A panel's axes as fractions of the sheet, and the scale between the two.

    Attributes:
        unit: (width, height) of one pixel as fractions of the sheet.
    """

    left: float
    right: float
    bottom: float
    top: float
    unit: tuple[float, float]


@dataclass(frozen=True)
class Arrangement:
    """The frames of all panels, in their order, on a sheet of some height."""

    frames: tuple[Frame, ...]
    height: int


def arrange(picture: Picture, sheet: Sheet) -> Arrangement:
    """Panels row by row; each keeps room on its right for its labels."""
    font = sheet.font_size
    count = min(picture.num_columns, sheet.most_columns, len(picture.panels))
    rows = -(-len(picture.panels) // count)
    gutters = [max(_gutter(one, font) for one in picture.panels[i::count]) for i in range(count)]
    left, above, below = 4.6 * font, 2.2 * font, 3.6 * font
    width = (sheet.width - sum(gutters) - count * left) / count
    height = round(rows * (above + sheet.panel_height + below))
    starts = [left + i * (left + width) + sum(gutters[:i]) for i in range(count)]
    unit = (1 / sheet.width, 1 / height)
    frames = []
    for number in range(len(picture.panels)):
        row, column = divmod(number, count)
        top = height - row * (above + sheet.panel_height + below) - above
        x, y = starts[column], top - sheet.panel_height
        frames.append(Frame(x * unit[0], (x + width) * unit[0], y * unit[1], top * unit[1], unit))
    return Arrangement(tuple(frames), height)


def label_width(panel: Panel, font: int) -> float:
    """Pixels that the names of a panel's lines take on its right."""
    longest = max((_width(line.name) for line in panel.lines), default=0.0)
    return LEADER + font * longest if longest else 0.0


def _width(text: str) -> float:
    """Of a text, in font sizes; an index mark `_` takes no room."""
    letters = text.replace("_", "")
    return sum(CAPITAL if letter.isupper() else LETTER for letter in letters)


def _gutter(panel: Panel, font: int) -> float:
    """Room for the names of the lines and for the colour bar of a plane."""
    bar = COLOUR_BAR * font if panel.plane else 0.0
    return max(label_width(panel, font) + bar, 1.0 * font)
