"""Figures as files for a paper, drawn by an installed Chrome or Chromium through kaleido."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import plotly.graph_objects as go

from storage.reporting.evidence import Results
from storage.reporting.figures.sheet import SCREEN
from storage.reporting.gallery import shown_figures
from storage.reporting.report import Report

WIDTH, HEIGHT = 900, 500
FEWEST_PIXELS = 1000
"""Across a narrow image, so that it is sharp in print."""


class ImageError(Exception):
    """A figure cannot be drawn as an image; the text says what is missing."""


def write_figures(results: Results, report: Report, folder: Path, form: str) -> Iterator[Path]:
    """Write every figure of a study as `form` (svg, png or pdf), and name each file.

    Raises ImageError if kaleido or a browser is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = (shown for shown in shown_figures(results, report) if shown.figure is not None)
    for number, shown in enumerate(drawn, start=1):
        path = folder / f"{number:02d}_{_file_name(shown.title)}.{form}"
        path.write_bytes(image_of(shown.figure, form))
        yield path


def image_of(figure: go.Figure, form: str) -> bytes:
    """A figure on white, as large as its layout says. Raises ImageError."""
    on_paper = go.Figure(figure).update_layout(
        paper_bgcolor="white", plot_bgcolor="white", font={"color": "black"}
    )
    # A figure of panels says how high it is, for the width of a screen.
    height = figure.layout.height
    width = figure.layout.width or (SCREEN.width if height else WIDTH)
    scale = FEWEST_PIXELS / width if form == "png" and width < WIDTH else 1
    try:
        image: bytes = on_paper.to_image(
            format=form, width=width, height=height or HEIGHT, scale=scale
        )
    except ValueError as error:
        raise ImageError(
            "static figures need kaleido: pip install 'noisy-label-orchestrator[static]'"
        ) from error
    except Exception as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ImageError(
            f"static figures need an installed Chrome or Chromium: {reason}"
        ) from error
    return image


def _file_name(title: str) -> str:
    """Letters, digits and underscores of a title."""
    return re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:60] or "figure"
