"""Document → GitHub-flavoured Markdown. All text is escaped; only the layout is markup."""

from __future__ import annotations

import re
from collections.abc import Iterator

from storage.reporting.render.document import Cell, Document, Grid, Section
from storage.reporting.render.layout import lay_out
from storage.reporting.report import Report

SPECIAL = re.compile(r"[\\`*_{}\[\]<>#|~$!^=+]|&|(?<=:)//|^-|^\d+(?=[.)])")


def render(report: Report) -> str:
    """The whole report."""
    return "\n".join(_lines(lay_out(report)))


def escape(text: str) -> str:
    """Text that Markdown, HTML inside it, and link detection leave as it is."""
    return SPECIAL.sub(_inert, text)


def _inert(match: re.Match[str]) -> str:
    found = match.group()
    if found in ("<", ">", "&"):
        return {"<": "&lt;", ">": "&gt;", "&": "&amp;"}[found]
    return found + "\\" if found.isdigit() else "\\" + found


def _lines(document: Document) -> Iterator[str]:
    yield f"# {escape(document.title)}"
    for sentence in document.lead:
        yield from ("", escape(sentence))
    for section in document.sections:
        yield from _section_lines(section)
    yield ""


def _section_lines(section: Section) -> Iterator[str]:
    yield from ("", f"## {escape(section.heading)}", "")
    if section.grid is not None:
        yield from _grid_lines(section.grid)
        yield ""
    if section.caption:
        yield from (" ".join(escape(sentence) for sentence in section.caption), "")
    for note in section.notes:
        yield f"- {escape(note)}"


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
