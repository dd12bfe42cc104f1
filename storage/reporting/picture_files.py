"""A picture → a file: an HTML page that opens offline, an image, or its numbers as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from storage.durable import make_folder, replace
from storage.reporting.figures.drawing import draw
from storage.reporting.figures.picture import Picture
from storage.reporting.figures.picture_csv import picture_csv
from storage.reporting.figures.sheet import COLUMN, SCREEN
from storage.reporting.gallery import ShownFigure
from storage.reporting.images import image_of
from storage.reporting.page import figure_lines, page_of

FORMATS = ("html", "png", "svg", "pdf", "csv")
"""Suffixes that a picture is written as."""


class UnknownFormatError(Exception):
    """A file name does not say how the picture is to be written."""


def write_picture(picture: Picture, path: Path, *, for_column: bool = False) -> None:
    """Write a picture as its file's suffix says.

    Args:
        for_column: images are as wide as one column of a paper.

    Raises UnknownFormatError, ImageError, LandingError.
    """
    content = _content(picture, _format_of(path), for_column)
    make_folder(path.absolute().parent)
    replace(path, content)


def pictures_page(title: str, pictures: Sequence[Picture]) -> str:
    """Pictures below each other, each with its caption, as one page."""
    shown = (ShownFigure(one.title, draw(one), one.caption) for one in pictures)
    lines = (line for number, one in enumerate(shown) for line in figure_lines(number, one))
    return page_of(title, lines)


def _content(picture: Picture, form: str, for_column: bool) -> bytes:
    if form == "csv":
        return picture_csv(picture).encode()
    if form == "html":
        return pictures_page(picture.title, [picture]).encode()
    return image_of(draw(picture, COLUMN if for_column else SCREEN), form)


def _format_of(path: Path) -> str:
    form = path.suffix.lower().removeprefix(".")
    if form not in FORMATS:
        raise UnknownFormatError(
            f"{path}: a figure is written as {', '.join(FORMATS)}, by the file's suffix"
        )
    return form
