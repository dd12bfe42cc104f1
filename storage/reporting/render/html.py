"""Document → static HTML fragment, without script or style of its own. All text is escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from storage.reporting.render.document import Cell, Document, Grid, Section
from storage.reporting.render.layout import lay_out
from storage.reporting.report import Report


def render(report: Report) -> str:
    """The whole report as one `<article>`."""
    return "\n".join(_lines(lay_out(report))) + "\n"


def _lines(document: Document) -> Iterator[str]:
    yield '<article class="report">'
    yield f"<h1>{escape(document.title)}</h1>"
    for sentence in document.lead:
        yield f"<p>{escape(sentence)}</p>"
    for section in document.sections:
        yield from section_lines(section)
    yield "</article>"


def section_lines(section: Section) -> Iterator[str]:
    """One section: heading, table with its caption, notes."""
    yield "<section>"
    yield f"<h2>{escape(section.heading)}</h2>"
    words = escape(" ".join(section.caption))
    if section.grid is not None:
        yield from _grid_lines(section.grid, words)
    elif words:
        yield f"<p>{words}</p>"
    if section.notes:
        yield "<ul>"
        yield from (f"<li>{escape(note)}</li>" for note in section.notes)
        yield "</ul>"
    yield "</section>"


def _grid_lines(grid: Grid, caption: str) -> Iterator[str]:
    yield "<table>"
    if caption:
        yield f"<caption>{caption}</caption>"
    yield "<thead>"
    for level in range(len(grid.headings)):
        yield f"<tr>{''.join(_headings(grid, level))}</tr>"
    yield "</thead>"
    yield "<tbody>"
    for row in grid.body:
        yield f"<tr{_row_mark(row)}>{''.join(_cells(row, grid.num_labels))}</tr>"
    yield "</tbody>"
    yield "</table>"


def _row_mark(row: Sequence[Cell]) -> str:
    """What a filter goes by: the row's first label."""
    return f' data-row="{escape(row[0].text)}"' if row else ""


def _headings(grid: Grid, level: int) -> Iterator[str]:
    """Names of the row fields, then the columns'."""
    for text in grid.headings[level][: grid.num_labels]:
        yield f'<th scope="col">{escape(text)}</th>' if text else "<td></td>"
    for text, width in grid.spans(level):
        span = f'colspan="{width}" scope="colgroup"' if width > 1 else 'scope="col"'
        yield f"<th {span}>{escape(text)}</th>"


def _cells(row: Sequence[Cell], num_labels: int) -> Iterator[str]:
    for cell in row[:num_labels]:
        yield f'<th scope="row">{escape(cell.text)}</th>'
    for cell in row[num_labels:]:
        text = escape(cell.text)
        yield f"<td><strong>{text}</strong></td>" if cell.is_bold else f"<td>{text}</td>"
