"""The words under a figure of results: what is shown, of how many runs, and what is missing.

A picture's tables → sentences. Knows no output format: nothing is escaped here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from storage.reporting.caption import which_cells
from storage.reporting.evidence import Status
from storage.reporting.figures.picture import Panel
from storage.reporting.selection import METRIC_FACTS, selection_words
from storage.reporting.spec import METRIC, FigureSpec
from storage.reporting.spread import SPREAD_WORDS
from storage.reporting.table import Entry, Table

LISTED = 4
"""Incomplete entries named one by one."""
OVER = "loss."
"""Start of fields that are called by their last part: a loss' parameter `loss.q` is `q`."""
RUNNING = "Training figures are averages over the batches of an epoch, taken while it trains."


@dataclass(frozen=True)
class Shown:
    """What a caption is made of.

    Args:
        tables: metric → the table that its lines stand on.
        remark: what the horizontal axis is unable to show; may be empty.
    """

    spec: FigureSpec
    tables: Mapping[str, Table]
    panels: tuple[Panel, ...]
    remark: str = ""

    @property
    def table(self) -> Table:
        """Of the first metric; which cells are there is the same for all."""
        return next(iter(self.tables.values()))


def caption(shown: Shown) -> str:
    """What a reader must know to quote the figure, in a fixed order."""
    sentences = (
        _what(shown),
        *which_cells(shown.table),
        *_dashes(shown),
        *_runs(shown),
        *_missing(shown.table),
        *_marks(shown.table),
        *_training(shown),
        shown.remark,
        shown.spec.note,
    )
    return " ".join(sentence for sentence in sentences if sentence)


def field_words(field: str) -> str:
    """A field as an axis calls it, such as `noise rate`."""
    return field.removeprefix(OVER).replace(".", " ").replace("_", " ")


def value_words(field: str, value: str) -> str:
    """A value as a title or a line calls it: numbers go with their field, names stand alone."""
    if field == METRIC:
        return METRIC_FACTS[value].short
    return f"{field_words(field)} {value}" if _is_number(value) else value


def words_beside(own: str, other: str) -> str:
    """What sets one text apart from another: `test` for `test accuracy` beside `training accuracy`.

    Lines are labelled where they end, so that every letter narrows the figure.
    """
    others = set(other.replace(",", " ").split())
    rest = [word for word in own.replace(",", " ").split() if word not in others]
    return " ".join(rest) or own


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _what(shown: Shown) -> str:
    spec = shown.spec
    facts = [METRIC_FACTS[metric] for metric in spec.value]
    words = "; ".join(f"{one.words}{' in per cent' if one.unit else ''}" for one in facts)
    if spec.kind == "epochs":
        return f"{words}; after every epoch."
    over = " and ".join(map(field_words, spec.axes))
    return f"{words}; {selection_words(shown.table.spec)}, over {over}."


def _dashes(shown: Shown) -> Iterator[str]:
    """Which line style means what."""
    field = shown.spec.dashed_by
    if field is None:
        return
    if field == METRIC:
        values: list[str] = list(shown.tables)
    else:
        place = shown.table.spec.rows.index(field)
        values = list(dict.fromkeys(row[place] for row in shown.table.rows))
    styles = zip(("solid", "dashed", "dotted"), values, strict=False)
    yield f"{'; '.join(f'{style}: {value_words(field, v)}' for style, v in styles).capitalize()}."


def _runs(shown: Shown) -> Iterator[str]:
    """How many runs stand behind a point, and what the spread around it is."""
    counts = sorted({entry.n for entry in shown.table.entries.values() if entry.n})
    if not counts:
        return
    if counts == [1]:
        yield "One run a point (n = 1), so no spread can be given."
        return
    numbers = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    yield f"Means over n = {numbers} runs with different seeds."
    if shown.spec.kind != "plane":
        yield SPREAD_WORDS[shown.spec.band]
        if counts[0] == 1:
            yield "A single run has no spread."


def _missing(table: Table) -> Iterator[str]:
    """Which of the planned runs have no result, and where they stand."""
    lacking = {
        place: entry for place, entry in table.entries.items() if entry.n < entry.num_planned
    }
    if not lacking:
        return
    planned = sum(entry.num_planned for entry in table.entries.values())
    missing = sum(entry.num_planned - entry.n for entry in lacking.values())
    fields = (*table.spec.rows, *table.spec.columns)
    named = [
        f"{', '.join(map(value_words, fields, (*row, *column))) or 'all'} ({_standing(entry)})"
        for (row, column), entry in list(lacking.items())[:LISTED]
    ]
    more = [f"{len(lacking) - LISTED} more settings"] if len(lacking) > LISTED else []
    verb = "is" if missing == 1 else "are"
    yield f"{missing} of {planned} cells {verb} missing: {'; '.join([*named, *more])}."


def _standing(entry: Entry) -> str:
    counts = (
        (status, count)
        for status, count in entry.counts.items()
        if not status.has_result and status is not Status.SKIPPED
    )
    return ", ".join(f"{count} {status.value}" for status, count in counts)


def _marks(table: Table) -> Iterator[str]:
    """What else a mean hides."""
    entries = table.entries.values()
    told = {
        "diverged": sum(entry.count(Status.DIVERGED) for entry in entries),
        "ended no better than by guessing": sum(entry.num_at_chance for entry in entries),
        "have other numbers elsewhere in the store": sum(e.num_conflicting for e in entries),
    }
    for words, number in told.items():
        if number:
            yield f"Runs that {words}: {number}."
    undefined = sum(entry.num_undefined > 0 for entry in entries)
    if undefined:
        yield f"Without a finite number in some run, and therefore a gap: {undefined} settings."
    mixed = Counter(words for entry in entries for words in entry.mixed)
    if mixed:
        yield f"Some means mix {', '.join(mixed)}."


def _training(shown: Shown) -> Iterator[str]:
    if any(metric.startswith(("train_", "memor")) for metric in shown.spec.value):
        yield RUNNING
