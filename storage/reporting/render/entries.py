"""Tables and comparisons → sections: the words and marks that stand for an entry.

They are chosen here, once for every text format.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from storage.reporting.caption import caption
from storage.reporting.evidence import Status
from storage.reporting.reference import Comparison, Counterpart, notes
from storage.reporting.render.document import Cell, Grid, Section, printable, printables
from storage.reporting.selection import MetricFacts
from storage.reporting.statistics import Agreement
from storage.reporting.table import Entry, Header, Table

NOTHING, NOT_PLANNED, UNDEFINED = "—", "·", "n/a"
DIVERGED, AT_CHANCE, FAILED, STALE = "†", "≈", "✗", "↩"
CONFLICTING, MIXED = "≠", "‡"
PARTIAL, OTHER_N = "(i/n)", "(n)"

LISTED = 6
"""Places named one by one in a note."""

LEGEND = {
    NOTHING: "no result",
    NOT_PLANNED: "not part of the study",
    UNDEFINED: "undefined for at least one run (no wrong label, or not finite)",
    PARTIAL: "mean over i of the n planned seeds, the others have no result",
    OTHER_N: "the study plans another number of seeds here",
    DIVERGED: "number of runs that diverged; they count with the chance accuracy they end at",
    AT_CHANCE: "number of runs that ended no better than guessing",
    FAILED: "number of runs that failed; they are not in the mean",
    STALE: "number of runs whose result is of other code, data or defaults; it is not in the mean",
    CONFLICTING: "number of runs of which the store holds other numbers too (view `conflicts`)",
    MIXED: "its runs were not all made in the same way; the provenance says how",
}
"""Mark → meaning, in the order of the legend. Marks follow numbers, never names."""


def table_section(table: Table) -> Section:
    """The table itself, with caption, legend of the marks used and reasons of skipped cells."""
    reasons = dict.fromkeys(reason for e in table.entries.values() for reason in e.skipped)
    footnotes = {reason: f"[{number}]" for number, reason in enumerate(reasons, start=1)}
    marks: set[str] = set()
    body = []
    for row in table.rows:
        entries = [table.entries[row, column] for column in table.columns]
        texts = [_entry_parts(entry, table, footnotes) for entry in entries]
        marks |= {mark for parts in texts for mark in _marks_in(parts)}
        numbers = [
            Cell(" ".join(parts.values()), entry.is_bold)
            for parts, entry in zip(texts, entries, strict=True)
        ]
        body.append((*_labels(row), *numbers))
    return Section(
        heading=printable(table.title),
        caption=printables(caption(table)),
        grid=Grid(_table_headings(table), tuple(body), len(table.spec.rows)),
        notes=(
            *(f"{mark}: {meaning}" for mark, meaning in LEGEND.items() if mark in marks),
            *(printable(f"{mark} left out: {reason}") for reason, mark in footnotes.items()),
        ),
    )


def comparison_section(comparison: Comparison) -> Section:
    """Published numbers beside ours, one line per pair."""
    table = comparison.table
    headings = (
        *table.spec.rows,
        *table.spec.columns,
        *("ours", "published", "difference", "combined SEM", "|z|"),
    )
    body = [_pair_cells(pair, table) for pair in comparison.pairs]
    grid = Grid((printables(headings),), tuple(body), len(headings) - 5) if body else None
    return Section(
        heading=printable(f"{table.title}: beside {comparison.source}"),
        caption=("Difference is ours minus published; |z| is it over the combined SEM.",),
        grid=grid,
        notes=printables(_comparison_notes(comparison)),
    )


def number_text(value: float | None, facts: MetricFacts) -> str:
    """A number with the decimals of its metric; a dash for none."""
    return NOTHING if value is None else f"{value:.{facts.decimals}f}"


def mean_text(mean: float | None, sem: float | None, facts: MetricFacts) -> str:
    """`65.65 ± 0.23`, without an error where none is known."""
    error = "" if sem is None else f" ± {number_text(sem, facts)}"
    return number_text(mean, facts) + error


def _labels(header: Header) -> tuple[Cell, ...]:
    return tuple(Cell(printable(value)) for value in header)


def _table_headings(table: Table) -> tuple[tuple[str, ...], ...]:
    """One level per column field; the row fields are named on the innermost."""
    levels = []
    for level, field in enumerate(table.spec.columns):
        is_last = level == len(table.spec.columns) - 1
        corner = table.spec.rows if is_last else ("",) * len(table.spec.rows)
        values = [_column_text(field, column[level]) for column in table.columns]
        levels.append(printables((*corner, *values)))
    return tuple(levels) or (printables((*table.spec.rows, table.spec.value)),)


def _column_text(field: str, value: str) -> str:
    """A bare number says nothing without the name of its field."""
    is_bare = not any(char.isalpha() for char in value.replace("e-", ""))
    return f"{field} {value}" if is_bare else value


def _entry_parts(entry: Entry, table: Table, footnotes: Mapping[str, str]) -> dict[str, str]:
    """Mark, or `number` → text, in the order in which they stand in the cell."""
    parts: dict[str, str] = {}
    if entry.mean is not None:
        parts["number"] = mean_text(entry.mean, entry.sem, table.facts)
    elif entry.n:
        parts[UNDEFINED] = UNDEFINED
    elif entry.num_planned or entry.skipped:
        parts[NOTHING] = NOTHING
    else:
        return {NOT_PLANNED: NOT_PLANNED}
    if 0 < entry.n < entry.num_planned:
        parts[PARTIAL] = f"({entry.n}/{entry.num_planned})"
    elif entry.is_complete and entry.num_planned != table.num_planned:
        parts[OTHER_N] = f"({entry.n})"
    counted = {
        DIVERGED: entry.count(Status.DIVERGED),
        AT_CHANCE: entry.num_at_chance,
        FAILED: entry.count(Status.FAILED),
        STALE: entry.count(Status.STALE),
        CONFLICTING: entry.num_conflicting,
    }
    parts |= {mark: f"{mark}{count}" for mark, count in counted.items() if count}
    parts |= {MIXED: MIXED} if entry.mixed else {}
    notes_here = [footnotes[reason] for reason in entry.skipped if reason in footnotes]
    parts |= dict(zip(notes_here, notes_here, strict=True))
    return parts


def _marks_in(parts: Mapping[str, str]) -> Iterator[str]:
    return (mark for mark in parts if mark in LEGEND)


def _pair_cells(pair: Counterpart, table: Table) -> tuple[Cell, ...]:
    difference, facts = pair.difference, table.facts
    texts = (
        " ".join(_entry_parts(pair.ours, table, {}).values()),
        mean_text(pair.mean, pair.sem, facts),
        NOTHING if difference is None else _signed(difference, facts),
        number_text(pair.combined_sem, facts),
        NOTHING if pair.z is None else f"{abs(pair.z):.2f}",
    )
    return (*_labels((*pair.row, *pair.column)), *(Cell(text) for text in texts))


def _signed(difference: float, facts: MetricFacts) -> str:
    """With its sign in front, a true minus."""
    return f"{difference:+.{facts.decimals}f}".replace("-", "−")


def _comparison_notes(comparison: Comparison) -> Iterator[str]:
    agreement = comparison.agreement
    yield _agreement_words(agreement) if agreement else "No pair has an error on both sides"
    yield from notes(comparison.pairs)
    if unknown := comparison.unknown:
        yield f"Not known of the published protocol: {', '.join(map(printable, unknown))}"
    if comparison.only_ours:
        places = [", ".join((*row, *column)) for row, column in comparison.only_ours]
        yield f"Ours without a published number: {_listed(places)}"
    if comparison.only_published:
        yield f"Published without one of ours: {_listed(comparison.only_published)}"


def _listed(places: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = len(places) - LISTED
    return "; ".join(places[:LISTED]) + (f"; and {more} more" if more > 0 else "")


def _agreement_words(agreement: Agreement) -> str:
    return (
        f"Agreement of the {agreement.count} with errors on both sides: "
        f"{agreement.share_within_two:.0%} within |z| ≤ 2, median |z| {agreement.median:.2f}, "
        f"root mean square {agreement.root_mean_square:.2f} (chance alone: 95%, 0.67, 1.00)"
    )
