"""Document → rich objects for a terminal. Names are plain text, never markup."""

from __future__ import annotations

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from storage.reporting.render.document import Cell, Document, Grid, Section
from storage.reporting.render.layout import lay_out
from storage.reporting.report import Report


def render(report: Report) -> Group:
    """The whole report; `rich.console.Console().print` shows it."""
    return Group(*_parts(lay_out(report)))


def _parts(document: Document) -> Iterator[RenderableType]:
    yield Text(document.title, style="bold")
    yield from (Text(sentence) for sentence in document.lead)
    for section in document.sections:
        yield from _section_parts(section)


def _section_parts(section: Section) -> Iterator[RenderableType]:
    yield Text(f"\n{section.heading}", style="bold")
    if section.grid is not None:
        yield _grid(section.grid)
    if section.caption:
        yield Text(" ".join(section.caption), style="dim")
    for note in section.notes:
        yield Text(f"  {note}", style="dim")


def _grid(grid: Grid) -> RichTable:
    table = RichTable(box=SIMPLE_HEAD, pad_edge=False)
    for index, heading in enumerate(grid.flat_headings):
        is_label = index < grid.num_labels
        table.add_column(Text(heading), justify="left" if is_label else "right", overflow="fold")
    for row in grid.body:
        table.add_row(*(_cell(cell) for cell in row))
    return table


def _cell(cell: Cell) -> Text:
    return Text(cell.text, style="bold" if cell.is_bold else "")
