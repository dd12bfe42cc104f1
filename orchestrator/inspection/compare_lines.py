"""In what two cells, studies or stores differ, in words. Decides nothing and prints nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from orchestrator.inspection.changes import Change
from orchestrator.inspection.columns import aligned
from orchestrator.inspection.compare_cells import CellDifference, Metric
from orchestrator.inspection.compare_stores import ResultPair, StoreDifference, StoredResult
from orchestrator.inspection.compare_studies import CellGroup, EntryPair, StudyDifference
from orchestrator.inspection.keys import short
from storage.reporting.selection import MetricFacts
from storage.reporting.table import Entry, Header

SHOWN_ENTRIES = 20
SHOWN = 5
"""Of everything else; the rest is counted."""

ENTRY_HEADER = ("table", "row", "column", "A", "B", "B − A", "in combined SEM")
NOTHING = "—"
ARROW = "→"


def cell_lines(found: CellDifference) -> Iterator[str]:
    """Two results of cells."""
    left, right = found.left, found.right
    yield f"A  cell {left.key[:16]}, edition {left.edition}, {left.outcome}"
    yield f"B  cell {right.key[:16]}, edition {right.edition}, {right.outcome}"
    yield from _changes("settings", found.settings)
    if found.unknown_code:
        yield "code: not recorded by one of them, so it is not compared"
    else:
        yield from _changes("code", found.code)
    data = [Change(one.name, short(one.before), short(one.after)) for one in found.data]
    yield from _changes("data", data)
    if found.unknown_data:
        yield f"not recorded by one of them: {', '.join(found.unknown_data)}"
    yield from _changes("conditions", found.conditions)
    if all(metric.parts is None for metric in found.metrics):
        yield "numbers: the same in every epoch"
        return
    yield "numbers at the last epoch"
    yield from aligned([("", "A", "B", ""), *map(_metric_row, found.metrics)], 2)


def study_lines(found: StudyDifference) -> Iterator[str]:
    """Two studies."""
    yield f"A  {found.left}"
    yield f"B  {found.right}"
    if found.has_other_cells:
        yield f"cells: {found.num_shared} in both"
        yield from _groups("A", found.only_left)
        yield from _groups("B", found.only_right)
        yield from _fields(found)
    else:
        yield f"cells: the same {found.num_shared}, with the same settings and code"
    yield from _tables(found)
    yield from _entries(found)


def store_lines(found: StoreDifference) -> Iterator[str]:
    """Two stores."""
    yield f"A  {found.left}"
    yield f"B  {found.right}"
    for side, names in (("A", found.studies_left), ("B", found.studies_right)):
        if names:
            yield f"studies only in {side}: {', '.join(names)}"
    yield f"results: {found.num_shared} cells have one in both"
    yield from _results("A", found.only_left)
    yield from _results("B", found.only_right)
    yield from _other_numbers(found)
    for study in found.studies:
        yield ""
        yield from study_lines(study)


def _changes(what: str, found: Sequence[Change]) -> Iterator[str]:
    if not found:
        yield f"{what}: the same"
        return
    yield what
    yield from aligned([(one.name, one.before, ARROW, one.after) for one in found], 2)


def _metric_row(metric: Metric) -> tuple[str, str, str, str]:
    parts = "equal" if metric.parts is None else f"differs from epoch {metric.parts} on"
    return metric.name, _number(metric.left, 6), _number(metric.right, 6), parts


def _groups(side: str, groups: Sequence[CellGroup]) -> Iterator[str]:
    """Cells that one study lacks, seeds of equal axes in one line."""
    if not groups:
        return
    yield f"  only in {side}: {sum(len(group.seeds) for group in groups)}"
    yield from _first((f"    {_group(group)}" for group in groups), len(groups), SHOWN, "    ")


def _group(group: CellGroup) -> str:
    axes = ", ".join(f"{name}={value}" for name, value in group.axes.items())
    seeds = f"seed{'s' * (len(group.seeds) > 1)} {', '.join(map(str, group.seeds))}"
    return ", ".join(filter(None, (group.phase, axes, seeds)))


def _fields(found: StudyDifference) -> Iterator[str]:
    if not found.fields:
        return
    yield "settings and code of cells that are in both"
    rows = [
        (one.change.name, one.change.before, ARROW, one.change.after, _count(one.num_cells, "cell"))
        for one in found.fields
    ]
    yield from aligned(rows, 2)


def _tables(found: StudyDifference) -> Iterator[str]:
    for side, names in (("A", found.tables_left), ("B", found.tables_right)):
        if names:
            yield f"tables only in {side}: {', '.join(names)}"
    for table in found.tables:
        unlike = "; its numbers are not compared" if table.is_incomparable else ""
        yield f"table {table.table} is declared otherwise{unlike}"
        rows = [(one.name, one.before, ARROW, one.after) for one in table.changes]
        yield from aligned(rows, 2)
    yield from found.problems


def _entries(found: StudyDifference) -> Iterator[str]:
    """Entries that moved, and those for which one side has no number."""
    empty = f"; no number in either: {found.num_empty}" if found.num_empty else ""
    if not found.moved:
        yield f"numbers in tables: the same in {_count(found.num_equal, 'entry')}{empty}"
    else:
        moved = _count(len(found.moved), "entry")
        yield f"numbers in tables: {moved} moved, {found.num_equal} the same{empty}"
        rows = [_moved_row(pair) for pair in found.moved[:SHOWN_ENTRIES]]
        yield from aligned([ENTRY_HEADER, *rows], 2)
        if (more := len(found.moved) - SHOWN_ENTRIES) > 0:
            yield f"  … and {more} more"
    if found.one_sided:
        yield f"entries with a number in only one of them: {len(found.one_sided)}"
        lines = list(aligned([_one_sided_row(pair) for pair in found.one_sided], 2))
        yield from _first(lines, len(lines), SHOWN, "  ")


def _moved_row(pair: EntryPair) -> tuple[str, ...]:
    difference, errors = pair.difference, pair.in_errors
    return (
        *_place(pair),
        _entry(pair.left, pair.facts),
        _entry(pair.right, pair.facts),
        NOTHING if difference is None else f"{difference:+.{pair.facts.decimals}f}",
        NOTHING if errors is None else f"{errors:+.2f}",
    )


def _one_sided_row(pair: EntryPair) -> tuple[str, ...]:
    ours, theirs = _entry(pair.left, pair.facts), _entry(pair.right, pair.facts)
    return (*_place(pair), f"A {ours}", f"B {theirs}")


def _place(pair: EntryPair) -> tuple[str, str, str]:
    return pair.table, _header(pair.row), _header(pair.column)


def _header(header: Header) -> str:
    return ", ".join(header) or "all"


def _entry(entry: Entry | None, facts: MetricFacts) -> str:
    if entry is None:
        return "not part of it"
    if entry.mean is None:
        return "no number"
    sem = "" if entry.sem is None else f" ± {_number(entry.sem, facts.decimals)}"
    return f"{_number(entry.mean, facts.decimals)}{sem} (n = {entry.n})"


def _results(side: str, found: Sequence[StoredResult]) -> Iterator[str]:
    if not found:
        return
    yield f"  only in {side}: {len(found)}"
    rows = (f"    {short(one.key)}  {one.words}" for one in found)
    yield from _first(rows, len(found), SHOWN, "    ")


def _other_numbers(found: StoreDifference) -> Iterator[str]:
    if not found.others:
        if found.num_shared:
            yield "  their numbers are the same in every epoch"
        return
    yield f"  other numbers: {len(found.others)}"
    rows = (f"    {_other(pair)}" for pair in found.others)
    yield from _first(rows, len(found.others), SHOWN, "    ")


def _other(pair: ResultPair) -> str:
    left, right = (_number(one.test_accuracy, 4) for one in (pair.left, pair.right))
    found = ", ".join(f"{one.name} {one.before} {ARROW} {one.after}" for one in pair.changes)
    reason = found or _same(pair)
    return (
        f"{short(pair.left.key)}  {pair.left.words}: test accuracy {left} {ARROW} {right}; {reason}"
    )


def _same(pair: ResultPair) -> str:
    if None in (pair.left.sources, pair.right.sources):
        same = "settings, device, torch, threads and stack size are the same"
        return f"{same}; whether the code is was not recorded"
    return "settings, code, device, torch, threads and stack size are the same"


def _first(lines: Iterable[str], count: int, shown: int, indent: str) -> Iterator[str]:
    yield from islice(lines, shown)
    if count > shown:
        yield f"{indent}… and {count - shown} more"


def _count(number: int, noun: str) -> str:
    plural = f"{noun.removesuffix('y')}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun if number == 1 else plural}"


def _number(value: float | None, decimals: int) -> str:
    return NOTHING if value is None else f"{value:.{decimals}f}"
