"""A report in one of its formats. Every renderer escapes all names; none computes a number."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from storage.reporting.render import csv, html, json, latex, markdown
from storage.reporting.report import Report

RENDERERS: Mapping[str, Callable[[Report], str]] = {
    "markdown": markdown.render,
    "latex": latex.render,
    "csv": csv.render,
    "json": json.render,
    "html": html.render,
}
"""Format → text of a report. `terminal.render` makes rich objects instead and stands apart."""

__all__ = ["RENDERERS"]
