"""A study's report as files beside its results: Markdown to read, one HTML page to explore."""

from __future__ import annotations

from pathlib import Path

from storage.durable import replace
from storage.reporting.page import build_page
from storage.reporting.render import markdown
from storage.reporting.report import build_report
from storage.store import Store

REPORTS = "reports"


def write_reports(store: Store, study: str, base: Path) -> tuple[Path, Path]:
    """Write `reports/<study>.md` and `reports/<study>.html`; returns both paths.

    Args:
        store: an open store.
        study: name of a launched study.
        base: folder of the study file, from which published tables are found.

    Raises:
        StudyNotFoundError: the store has no such study.
        LandingError: the files cannot be written.
    """
    folder = store.root / REPORTS
    text, page = folder / f"{study}.md", folder / f"{study}.html"
    replace(text, markdown.render(build_report(store, study, base)).encode())
    replace(page, build_page(store, study, base).encode())
    return text, page
