"""Verbs about the figures of the sources: list them, write them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.app import BAD_INPUT, app
from orchestrator.cli.options import DataRoot
from orchestrator.cli.output import one_line_errors, show

if TYPE_CHECKING:
    from orchestrator.figures.registry import Inputs
    from storage.reporting.figures.picture import Picture

LIST = "list"

ALL_FORMATS = ("html", "csv")
"""What `--all` writes of each figure: neither needs a browser."""


@app.command(epilog="Example: orchestrator figure staats2025-fig2 --out fig2.svg")
def figure(
    name: Annotated[
        str | None, typer.Argument(help="Name of a figure; `list` shows all of them.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write: .html, .png, .svg, .pdf, or .csv for its numbers."),
    ] = None,
    every: Annotated[
        Path | None, typer.Option("--all", help="Folder to write every figure to.")
    ] = None,
    column: Annotated[
        bool, typer.Option("--column", help="Images as wide as one column of a paper, 3.3 inches.")
    ] = False,
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="Drawn images where real ones are missing.")
    ] = False,
    data_root: DataRoot = None,
) -> None:
    """Draw a figure of the sources that needs no training; NAME.html if no file is named."""
    from orchestrator.figures.registry import FigureError, Inputs
    from trainables.datasets import default_data_root

    inputs = Inputs(data_root or default_data_root(), synthetic)
    if every is not None:
        _write_all(every, inputs)
    elif name is None:
        with one_line_errors(FigureError):
            raise FigureError("name a figure, or `list`, or --all FOLDER")
    elif name == LIST:
        _list()
    else:
        _write_one(name, out or Path(f"{name}.html"), inputs, column)


def _list() -> None:
    from orchestrator.figures.registry import FIGURES

    width = max(map(len, FIGURES))
    show(f"{name:<{width}}  {line}" for name, (_, line) in FIGURES.items())


def _write_one(name: str, out: Path, inputs: Inputs, column: bool) -> None:
    picture = _built(name, inputs)
    _write(picture, out, column)
    show([f"written: {out}", picture.caption])


def _write_all(folder: Path, inputs: Inputs) -> None:
    """Every figure; one that cannot be computed is told, and the others are written."""
    from orchestrator.figures.registry import FIGURES

    missing = 0
    for name in FIGURES:
        try:
            picture = _built(name, inputs)
        except typer.Exit:
            missing += 1
            continue
        for form in ALL_FORMATS:
            _write(picture, folder / f"{name}.{form}", column=False)
            show([f"written: {folder / f'{name}.{form}'}"])
    if missing:
        raise typer.Exit(BAD_INPUT)


def _built(name: str, inputs: Inputs) -> Picture:
    from orchestrator.figures.registry import FigureError, build_figure

    with one_line_errors(FigureError):
        return build_figure(name, inputs)


def _write(picture: Picture, out: Path, column: bool) -> None:
    from storage.durable import LandingError
    from storage.reporting.images import ImageError
    from storage.reporting.picture_files import UnknownFormatError, write_picture

    with one_line_errors(UnknownFormatError, ImageError, LandingError):
        write_picture(picture, out, for_column=column)
