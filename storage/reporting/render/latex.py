r"""Document → LaTeX tables that need `\usepackage{booktabs}` and nothing else.

All text is escaped: a name can neither call a command nor break a row. Characters that a plain
LaTeX run cannot set are written as their code point.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from storage.reporting.render.document import Cell, Document, Grid, Section
from storage.reporting.render.layout import lay_out
from storage.reporting.report import Report

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": "{`}",
    '"': "{''}",
}
SYMBOLS = {
    "±": r"\pm",
    "†": r"\dagger",
    "‡": r"\ddagger",
    "≠": r"\neq",
    "≈": r"\approx",
    "✗": r"\times",
    "×": r"\times",
    "↩": r"\hookleftarrow",
    "·": r"\cdot",
    "√": r"\surd",
    "≤": r"\leq",
    "≥": r"\geq",
    "−": "-",
    "∞": r"\infty",
    "…": r"\ldots",
    "α": r"\alpha",
    "β": r"\beta",
    "γ": r"\gamma",
    "δ": r"\delta",
    "ε": r"\varepsilon",
    "θ": r"\theta",
    "λ": r"\lambda",
    "μ": r"\mu",
    "σ": r"\sigma",
    "τ": r"\tau",
}
DASHES = {"—": r"\textemdash{}", "–": r"\textendash{}"}
ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0308": '"',
    "\u030c": "v",
    "\u0327": "c",
}
"""Combining mark → LaTeX accent."""
WIDE = 6
"""Columns beyond which a table is set smaller, to stay within a page."""


def render(report: Report) -> str:
    r"""The whole report, one `table` environment per grid, to be read with `\input`."""
    return "\n".join(_lines(lay_out(report)))


def escape(text: str) -> str:
    """Text that LaTeX sets as it is written; `--` and `''` make no ligature."""
    return re.sub(r"(?<=([-']))(?=\1)", "{}", "".join(_char(char) for char in text))


def _char(char: str) -> str:
    if char in SPECIAL:
        return SPECIAL[char]
    if char in SYMBOLS:
        return f"${SYMBOLS[char]}$"
    if char in DASHES:
        return DASHES[char]
    return char if " " <= char <= "~" else _foreign(char)


def _foreign(char: str) -> str:
    """An accented letter by its accent, anything else by its code point."""
    parts = unicodedata.normalize("NFD", char)
    if len(parts) == 2 and parts[0].isascii() and parts[0].isalpha() and parts[1] in ACCENTS:
        return rf"\{ACCENTS[parts[1]]}{{{parts[0]}}}"
    return f"U+{ord(char):04X}"


def _lines(document: Document) -> Iterator[str]:
    yield r"% Needs \usepackage{booktabs} in the preamble."
    for section in document.sections:
        yield ""
        yield from _section_lines(section)
    yield ""


def _section_lines(section: Section) -> Iterator[str]:
    if section.grid is None:
        sentences = (*section.caption, *section.notes)
        yield rf"\paragraph{{{escape(section.heading)}.}}"
        yield from (rf"{escape(sentence)}\par" for sentence in sentences)
        return
    yield r"\begin{table}[htbp]"
    yield r"\centering"
    words = " ".join(escape(text) for text in (f"{section.heading}.", *section.caption))
    yield rf"\caption{{{words}}}\smallskip"
    yield from _grid_lines(section.grid)
    if section.notes:
        yield rf"\par\smallskip\footnotesize {'; '.join(escape(note) for note in section.notes)}"
    yield r"\end{table}"


def _grid_lines(grid: Grid) -> Iterator[str]:
    width = len(grid.headings[0])
    if width > WIDE:
        yield r"\footnotesize\setlength{\tabcolsep}{4pt}"
    yield rf"\begin{{tabular}}{{{'l' * grid.num_labels}{'r' * (width - grid.num_labels)}}}"
    yield r"\toprule"
    for level in range(len(grid.headings) - 1):
        yield from _spanning_level(grid, level)
    yield _row(escape(heading) for heading in grid.headings[-1])
    yield r"\midrule"
    for row in grid.body:
        yield _row(_cell(cell) for cell in row)
    yield r"\bottomrule"
    yield r"\end{tabular}"


def _row(texts: Iterator[str]) -> str:
    """One row. After the row before it, a bracket or a star would be read as an argument."""
    row = " & ".join(texts) + r" \\"
    return "{}" + row if row.startswith(("[", "*")) else row


def _cell(cell: Cell) -> str:
    text = escape(cell.text)
    return rf"\textbf{{{text}}}" if cell.is_bold else text


def _spanning_level(grid: Grid, level: int) -> Iterator[str]:
    """An outer row of headings, each over its columns, with a rule below each."""
    spans = grid.spans(level)
    labels = (escape(text) for text in grid.headings[level][: grid.num_labels])
    wide = (rf"\multicolumn{{{width}}}{{c}}{{{escape(text)}}}" for text, width in spans)
    yield _row(iter((*labels, *wide)))
    start = grid.num_labels + 1
    for _, width in spans:
        yield rf"\cmidrule(lr){{{start}-{start + width - 1}}}"
        start += width
