"""Lines out, errors as one line, reports shown and written."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from orchestrator.cli.app import BAD_INPUT
from orchestrator.progress.plain_text import Harmless, harmless, one_line

if TYPE_CHECKING:
    from orchestrator.inspection.asked import AskedStudy
    from storage.store import Store


class ReportFormat(StrEnum):
    """How a report is written."""

    TERMINAL = "terminal"
    MARKDOWN = "markdown"
    LATEX = "latex"
    CSV = "csv"
    JSON = "json"
    HTML = "html"


@contextmanager
def one_line_errors(*kinds: type[Exception]) -> Iterator[None]:
    """Errors of the named kinds become one line on standard error and exit code 2."""
    try:
        yield
    except kinds as error:
        typer.echo(one_line(f"error: {error}"), err=True)
        raise typer.Exit(BAD_INPUT) from None


def show(lines: Iterable[str]) -> None:
    """Lines on standard output."""
    for line in lines:
        typer.echo(harmless(line))


def write(parts: Iterable[str]) -> None:
    """Parts of an answer on standard output: as they are for a file, harmless for a terminal."""
    is_shown = sys.stdout.isatty()
    for part in parts:
        typer.echo(harmless(part) if is_shown else part, nl=False)


def warn_of_damage(store: Store) -> None:
    """One line on standard error for each file that was not served whole."""
    for file in store.damaged:
        typer.echo(one_line(f"warning: {file}"), err=True)


@contextmanager
def reading(root: Path, *, is_told_otherwise: bool = False) -> Iterator[Store]:
    """A store that is only read. Whatever becomes of the block, what is damaged there is told.

    Args:
        is_told_otherwise: the block tells it itself, unless it fails.
    """
    from storage import Store

    store = Store(root, read_only=True)
    try:
        yield store
    except BaseException:
        warn_of_damage(store)
        raise
    if not is_told_otherwise:
        warn_of_damage(store)


def show_report(asked: AskedStudy, store: Store, chosen: ReportFormat) -> None:
    """The tables of a study on standard output.

    CSV has no place for a table that could not be drawn, so that is said on standard error.
    """
    from storage.reporting.render import RENDERERS, terminal

    built = asked.report(store)
    if chosen is ReportFormat.TERMINAL:
        from rich.console import Console

        Console().print(Harmless(terminal.render(built)))
    else:
        show([RENDERERS[chosen](built).rstrip("\n")])
    if chosen is ReportFormat.CSV:
        for problem in built.problems:
            typer.echo(one_line(f"not drawn: {problem.table}: {problem.message}"), err=True)


def watch_report(ask: Callable[[Store], AskedStudy], root: Path, every_seconds: float = 5) -> None:
    """The tables, drawn anew until every cell has ended or Ctrl-C."""
    import time

    from rich.console import Console
    from rich.live import Live

    from storage import Store
    from storage.reporting.render import terminal

    console = Console()
    with Live(console=console, auto_refresh=False, vertical_overflow="visible") as live:
        while True:
            store = Store(root, read_only=True)
            built = ask(store).report(store)
            live.update(Harmless(terminal.render(built)), refresh=True)
            if not any(tally.num_due for tally in built.tallies):
                return
            try:
                time.sleep(every_seconds)
            except KeyboardInterrupt:
                return


def write_report_files(asked: AskedStudy, store: Store) -> tuple[Path, Path]:
    """Markdown and the page, in the store."""
    from storage.reporting.publish import write_reports

    return write_reports(store, asked.report(store), asked.page)
