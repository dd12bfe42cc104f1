"""A study's report as files beside its results: Markdown to read, one HTML page to explore."""

from __future__ import annotations

from pathlib import Path

from storage.durable import replace
from storage.reporting.page import build_page
from storage.reporting.render import markdown
from storage.reporting.report import Report
from storage.store import Store

REPORTS = "reports"


def write_reports(store: Store, report: Report, name: str) -> tuple[Path, Path]:
    """Write `reports/NAME.md` and `reports/NAME.html`; returns both paths.

    Args:
        store: the open store that the report was drawn from.
        name: of both files.

    Raises LandingError if the files cannot be written.
    """
    folder = store.root / REPORTS
    text, page = folder / f"{name}.md", folder / f"{name}.html"
    replace(text, markdown.render(report).encode())
    replace(page, build_page(store, report).encode())
    return text, page
