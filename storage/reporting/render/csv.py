"""Report → CSV: one line per entry of every table, numbers in full precision.

A text that a spreadsheet would run as a formula gets an apostrophe in front; numbers stay numbers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from storage.reporting.evidence import Status
from storage.reporting.reference import Counterpart
from storage.reporting.render.document import printable
from storage.reporting.report import Report
from storage.reporting.selection import selection_words
from storage.reporting.table import Entry, Header, Table

Value = str | int | float | None

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
NUMBERS = (
    *("mean", "sem", "n", "n_planned", "n_diverged", "n_at_chance", "n_failed", "n_stale"),
    *("n_pending", "n_not_run", "n_undefined", "skipped", "is_bold"),
    *("n_conflicting", "mixed", "made_by"),
    *("published_mean", "published_sem", "difference", "combined_sem", "z"),
)


def render(report: Report) -> str:
    """All tables in tidy form; a field that a table does not span stays empty."""
    fields = tuple(dict.fromkeys(f for t in report.tables for f in (*t.spec.rows, *t.spec.columns)))
    pairs = {
        (comparison.table.name, pair.row, pair.column): pair
        for comparison in report.comparisons
        for pair in comparison.pairs
    }
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(guarded(("table", "metric", "unit", "selection", *fields, *NUMBERS)))
    for table in report.tables:
        for (row, column), entry in table.entries.items():
            pair = pairs.get((table.name, row, column))
            spanned = _spanned(table, row, column)
            writer.writerow(
                guarded(
                    (
                        *(table.name, table.spec.value, table.facts.unit),
                        selection_words(table.spec),
                        *(spanned.get(field, "") for field in fields),
                        *_numbers(entry),
                        *_published(pair),
                    )
                )
            )
    return out.getvalue()


def guarded(values: Sequence[Value]) -> list[Value]:
    """Texts made inert for spreadsheets."""
    return [_inert(value) if isinstance(value, str) else value for value in values]


def _inert(text: str) -> str:
    """A text that starts as a formula does, and is not a number, gets an apostrophe in front."""
    is_formula = text.lstrip().startswith(FORMULA_STARTS) and not _is_number(text)
    return "'" * is_formula + printable(text)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _spanned(table: Table, row: Header, column: Header) -> Mapping[str, str]:
    return dict(zip((*table.spec.rows, *table.spec.columns), (*row, *column), strict=True))


def _numbers(entry: Entry) -> tuple[Value, ...]:
    return (
        entry.mean,
        entry.sem,
        entry.n,
        entry.num_planned,
        entry.count(Status.DIVERGED),
        entry.num_at_chance,
        entry.count(Status.FAILED),
        entry.count(Status.STALE),
        entry.count(Status.PENDING),
        entry.count(Status.MISSING),
        entry.num_undefined,
        "; ".join(entry.skipped),
        int(entry.is_bold),
        entry.num_conflicting,
        "; ".join(entry.mixed),
        "; ".join(f"{one.word} {one.value} ({one.count})" for one in entry.made_by),
    )


def _published(pair: Counterpart | None) -> tuple[Value, ...]:
    if pair is None:
        return (None,) * 5
    return pair.mean, pair.sem, pair.difference, pair.combined_sem, pair.z
