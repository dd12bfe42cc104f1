"""Document → GitHub-flavoured Markdown. All text is escaped; only the layout is markup."""

from __future__ import annotations

import re
from collections.abc import Iterator

from storage.reporting.render.document import Cell, Document, Grid, Section
from storage.reporting.render.layout import lay_out
from storage.reporting.report import Report

INLINE = re.compile(r"[\\`*_{}\[\]<>#|~$^&]|(?<=:)//")
LINE_START = re.compile(r"[-+=]|\d+(?=[.)](?:\s|$))")
ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}


def render(report: Report) -> str:
    """The whole report."""
    return "\n".join(_lines(lay_out(report)))


def escape(text: str) -> str:
    """Text within a line that Markdown, HTML inside it, and link detection leave as it is."""
    return INLINE.sub(lambda found: ENTITIES.get(found[0], "\\" + found[0]), text)


def escape_line(text: str) -> str:
    """Text that opens a line: it makes no list and no heading either."""
    start = LINE_START.match(text)
    if start is None:
        return escape(text)
    kept = start[0] + "\\" if start[0].isdigit() else "\\" + start[0]
    return kept + escape(text[start.end() :])


def _lines(document: Document) -> Iterator[str]:
    yield f"# {escape_line(document.title)}"
    for sentence in document.lead:
        yield from ("", escape_line(sentence))
    for section in document.sections:
        yield from _section_lines(section)
    yield ""


def _section_lines(section: Section) -> Iterator[str]:
    yield from ("", f"## {escape_line(section.heading)}")
    if section.grid is not None:
        yield from ("", *_grid_lines(section.grid))
    if section.caption:
        yield from ("", escape_line(" ".join(section.caption)))
    if section.notes:
        yield from ("", *(f"- {escape_line(note)}" for note in section.notes))


def _grid_lines(grid: Grid) -> Iterator[str]:
    width = len(grid.flat_headings)
    rules = ["---"] * grid.num_labels + ["---:"] * (width - grid.num_labels)
    yield _row(escape(heading) for heading in grid.flat_headings)
    yield _row(iter(rules))
    for row in grid.body:
        yield _row(_cell(cell) for cell in row)


def _row(texts: Iterator[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _cell(cell: Cell) -> str:
    return f"**{escape(cell.text)}**" if cell.is_bold else escape(cell.text)
