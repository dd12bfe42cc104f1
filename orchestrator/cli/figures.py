"""Verbs about the figures of the sources: list them, write them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.app import BAD_INPUT, app
from orchestrator.cli.options import RESULTS, DataRoot, StoreRoot, checked_store, no_address
from orchestrator.cli.output import one_line_errors, show

if TYPE_CHECKING:
    from orchestrator.figures.registry import Inputs
    from storage.reporting.figures.picture import Picture
    from storage.store import Store

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
        typer.Option(
            help="File to write: .html, .png, .svg, .pdf, or .csv for its numbers.",
            callback=no_address,
        ),
    ] = None,
    every: Annotated[
        Path | None,
        typer.Option("--all", help="Folder to write every figure to.", callback=no_address),
    ] = None,
    column: Annotated[
        bool, typer.Option("--column", help="Images as wide as one column of a paper, 3.3 inches.")
    ] = False,
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="Images drawn at random in place of the real ones.")
    ] = False,
    data_root: DataRoot = None,
    store: StoreRoot = RESULTS,
) -> None:
    """Draw a figure of the sources, or of a launched study; NAME.html if no file is named.

    Figures of results are drawn from the store, with what is there; the caption names the rest.
    """
    from orchestrator.figures.registry import FigureError, Inputs
    from trainables.datasets import default_data_root

    inputs = Inputs(data_root or default_data_root(), synthetic)
    if every is not None:
        _write_all(every, inputs, store)
    elif name is None:
        with one_line_errors(FigureError):
            raise FigureError("name a figure, or `list`, or --all FOLDER")
    elif name == LIST:
        _list()
    else:
        _write_one(_picture(name, inputs, store), out or Path(f"{name}.html"), column)


def _list() -> None:
    from orchestrator.figures.registry import FIGURES
    from orchestrator.figures.result_figures import RESULT_FIGURES

    lines = {name: line for name, (_, line) in FIGURES.items()}
    lines |= {name: f"From results of {study}" for name, study in RESULT_FIGURES.items()}
    width = max(map(len, lines))
    show(f"{name:<{width}}  {line}" for name, line in lines.items())


def _write_one(picture: Picture, out: Path, column: bool) -> None:
    _write(picture, out, column)
    show([f"written: {out}", picture.caption])


def _write_all(folder: Path, inputs: Inputs, store: Path) -> None:
    """Every figure; one that cannot be drawn is told, and the others are written.

    Those of results are asked for where the store has their study.
    """
    from orchestrator.figures.registry import FIGURES

    missing = 0
    for name in (*FIGURES, *_of_results(store)):
        try:
            picture = _picture(name, inputs, store)
        except typer.Exit:
            missing += 1
            continue
        for form in ALL_FORMATS:
            _write(picture, folder / f"{name}.{form}", column=False)
            show([f"written: {folder / f'{name}.{form}'}"])
    if missing:
        raise typer.Exit(BAD_INPUT)


def _of_results(store: Path) -> list[str]:
    """Figures of the sources whose study was launched into the store."""
    from orchestrator.figures.result_figures import RESULT_FIGURES

    opened = _opened(store)
    launched = opened.studies() if opened else ()
    return [name for name, study in RESULT_FIGURES.items() if study in launched]


def _opened(store: Path) -> Store | None:
    """The store, to be read; None where there is nothing."""
    from storage import Store

    return Store(checked_store(store), read_only=True) if store.exists() else None


def _picture(name: str, inputs: Inputs, store: Path) -> Picture:
    """A figure that is computed, or else one of results."""
    from orchestrator.figures.registry import FIGURES, FigureError, build_figure
    from orchestrator.figures.result_figures import ResultFigureError, result_picture

    with one_line_errors(FigureError, ResultFigureError):
        if name in FIGURES:
            return build_figure(name, inputs)
        return result_picture(name, _opened(store), FIGURES)


def _write(picture: Picture, out: Path, column: bool) -> None:
    from storage.durable import LandingError
    from storage.reporting.images import ImageError
    from storage.reporting.picture_files import UnknownFormatError, write_picture

    with one_line_errors(UnknownFormatError, ImageError, LandingError):
        write_picture(picture, out, for_column=column)
