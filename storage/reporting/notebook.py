"""A study's report as a notebook shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from storage.reporting.render import html, markdown

if TYPE_CHECKING:
    from storage.reporting.report import Report


@dataclass(frozen=True)
class NotebookReport:
    """Rendered by Jupyter as HTML, printed as Markdown; `report` holds the values."""

    report: Report

    def _repr_html_(self) -> str:
        return html.render(self.report)

    def __str__(self) -> str:
        return markdown.render(self.report)
