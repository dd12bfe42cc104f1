"""A study → one self-contained HTML page: tables, figures, failures, provenance.

plotly.js is embedded once; the page opens offline, asks the network for nothing and runs no script
but its own two, whose digests its content policy names. It follows the reader's light or dark mode.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from html import escape

from plotly.offline import get_plotlyjs

from storage.reporting.evidence import Results
from storage.reporting.gallery import ShownFigure, shown_figures
from storage.reporting.queries import example_query
from storage.reporting.render import html
from storage.reporting.render.document import printable
from storage.reporting.report import Report

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: auto; padding: 1rem; }
section { overflow-x: auto; }
table { border-collapse: collapse; margin: 1rem 0; }
caption { caption-side: bottom; text-align: left; font-size: 0.85rem; padding-top: 0.5rem;
  max-width: calc(100vw - 2.5rem); }
th, td { padding: 0.25rem 0.75rem; border-bottom: 1px solid #8886; }
td { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th[scope=row] { text-align: left; font-weight: normal; }
li { font-size: 0.85rem; }
pre { white-space: pre-wrap; font-size: 0.85rem; }
fieldset { border: 1px solid #8886; margin: 1rem 0; }
fieldset label { margin-right: 1rem; white-space: nowrap; }
[hidden] { display: none; }
.figure { width: 100%; height: 30rem; }
.caption { font-size: 0.85rem; }
"""

SCRIPT = """
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const ink = () => (dark.matches ? "#e8e8e8" : "#202020");
for (const place of document.querySelectorAll(".figure")) {
  const figure = JSON.parse(document.getElementById(place.dataset.figure).textContent);
  figure.layout.font = { color: ink() };
  place.hover = figure.data.map((trace) => trace.hoverinfo || "all");
  Plotly.newPlot(place, figure.data, figure.layout, { responsive: true, displaylogo: false });
  dark.addEventListener("change", () => Plotly.relayout(place, { "font.color": ink() }));
}
const boxes = [...document.querySelectorAll("#filter input")];
const choose = () => {
  const off = new Set(boxes.filter((box) => !box.checked).map((box) => box.value));
  for (const row of document.querySelectorAll("tr[data-row]"))
    row.hidden = off.has(row.dataset.row);
  for (const place of document.querySelectorAll(".figure")) {
    const shown = place.data.map((trace) => !off.has((trace.name || "").split(", ")[0]));
    if (place.data.length > 1)
      Plotly.restyle(place, {
        opacity: shown.map((is) => (is ? 1 : 0)),
        hoverinfo: shown.map((is, number) => (is ? place.hover[number] : "skip")),
      });
  }
  location.replace("#" + [...off].map((name) => "hide=" + encodeURIComponent(name)).join("&"));
};
const hidden = new URLSearchParams(location.hash.slice(1)).getAll("hide");
for (const box of boxes) {
  box.checked = !hidden.includes(box.value);
  box.addEventListener("change", choose);
}
if (hidden.length) choose();
"""


def build_page(results: Results, report: Report) -> str:
    """The whole page as text.

    Args:
        results: the open store that the report was drawn from.
    """
    return _page(report, shown_figures(results, report))


def _page(report: Report, figures: Iterable[ShownFigure]) -> str:
    drawn = (line for number, shown in enumerate(figures) for line in figure_lines(number, shown))
    body = (*_filter_lines(report), html.render(report), *drawn, *_query_lines(report))
    return page_of(report.study, body)


def page_of(title: str, body: Iterable[str]) -> str:
    """A whole page of lines that are HTML already, the places of figures among them."""
    library = get_plotlyjs()
    policy = (
        f"default-src 'none'; script-src {_digest(library)} {_digest(SCRIPT)}; "
        "style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    return "\n".join(
        (
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(printable(title))}</title>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            *body,
            f"<script>{library}</script>",
            f"<script>{SCRIPT}</script>",
            "</body>",
            "</html>",
            "",
        )
    )


def _filter_lines(report: Report) -> Iterator[str]:
    """A box to untick for each first row field's value; the choice stays in the page's address."""
    labels = dict.fromkeys(
        printable(row[0]) for table in report.tables for row in table.rows if row and row[0]
    )
    if len(labels) > 1:
        yield '<fieldset id="filter"><legend>Shown</legend>'
        for label in labels:
            text = escape(label)
            yield f'<label><input type="checkbox" value="{text}" checked> {text}</label>'
        yield "</fieldset>"


def _query_lines(report: Report) -> Iterator[str]:
    """How to ask the store for what the tables show, setting by setting."""
    if report.planned:
        query = escape(printable(example_query(report.planned)))
        yield "<section><h2>Ask the store</h2>"
        yield f'<pre>orchestrator sql "{query}"</pre></section>'


def figure_lines(number: int, shown: ShownFigure) -> Iterator[str]:
    """A place for the figure, and its data, in which plotly leaves no bare angle bracket."""
    label = escape(printable(shown.title))
    yield f"<section><h2>{label}</h2>"
    if shown.figure is not None:
        # A figure of several rows of panels says how high it is.
        height = shown.figure.layout.height
        style = f' style="height:{height:g}px"' if height else ""
        yield f'<div class="figure" role="img" aria-label="{label}"{style} '
        yield f'data-figure="figure-{number}"></div>'
    if shown.caption:
        yield f'<p class="caption">{escape(printable(shown.caption))}</p>'
    yield "</section>"
    if shown.figure is not None:
        data = shown.figure.to_json()
        yield f'<script type="application/json" id="figure-{number}">{data}</script>'


def _digest(script: str) -> str:
    """The source expression that lets exactly this script run."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
