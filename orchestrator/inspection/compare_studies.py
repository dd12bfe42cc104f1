"""Two studies with their stores → their cells, settings, tables and the entries that moved."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from orchestrator.inspection.axes import told, varying_axes
from orchestrator.inspection.changes import Change, changes, code_changes
from orchestrator.inspection.sides import StudySide
from storage.attempt import PlannedCell
from storage.reporting.report import Report
from storage.reporting.selection import MetricFacts
from storage.reporting.spec import TableSpec
from storage.reporting.statistics import combined_error, z_score
from storage.reporting.table import Entry, Header, Table
from storage.standing.judgement import flat

HOW_TAKEN = {"value", "select", "last_k"}
"""Declarations of a table without which its numbers cannot be compared."""


@dataclass(frozen=True)
class CellGroup:
    """Cells that only one of two studies has, and that differ in their seed alone."""

    phase: str
    axes: Mapping[str, str]
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class FieldChange:
    """One change of a field, and in how many cells that both studies have."""

    change: Change
    num_cells: int


@dataclass(frozen=True)
class TableChange:
    """A table of one name that is declared otherwise."""

    table: str
    changes: tuple[Change, ...]

    @property
    def is_incomparable(self) -> bool:
        """Whether its numbers are taken in another way."""
        return any(one.name in HOW_TAKEN for one in self.changes)


@dataclass(frozen=True)
class EntryPair:
    """One entry of a table as both studies draw it; None where one has no such place."""

    table: str
    facts: MetricFacts
    row: Header
    column: Header
    left: Entry | None
    right: Entry | None

    @property
    def means(self) -> tuple[float | None, float | None]:
        left, right = (entry.mean if entry else None for entry in (self.left, self.right))
        return left, right

    @property
    def difference(self) -> float | None:
        """Right minus left; None unless both have a number."""
        left, right = self.means
        return None if left is None or right is None else right - left

    @property
    def in_errors(self) -> float | None:
        """The difference in units of the combined SEM; None where that is unknown or zero."""
        if self.difference is None or self.left is None or self.right is None:
            return None
        return z_score(self.difference, combined_error(self.left.sem, self.right.sem))


@dataclass(frozen=True)
class StudyDifference:
    """In what two studies differ.

    Args:
        left, right: what they were called by.
        num_shared: cells with equal axes and seed.
        only_left, only_right: the other cells.
        fields: settings and code of shared cells, the most frequent change first.
        tables_left, tables_right: names of tables that only one has.
        tables: tables of one name that are declared otherwise.
        moved: entries with another mean, the largest difference first.
        one_sided: entries for which only one of both has a number.
        num_equal: entries with the same mean.
        num_empty: entries without a number on either side.
        problems: tables that could not be drawn.
    """

    left: str
    right: str
    num_shared: int
    only_left: tuple[CellGroup, ...]
    only_right: tuple[CellGroup, ...]
    fields: tuple[FieldChange, ...]
    tables_left: tuple[str, ...]
    tables_right: tuple[str, ...]
    tables: tuple[TableChange, ...]
    moved: tuple[EntryPair, ...]
    one_sided: tuple[EntryPair, ...]
    num_equal: int
    num_empty: int
    problems: tuple[str, ...]

    @property
    def has_other_cells(self) -> bool:
        """Whether something else is asked for, or by other settings or code."""
        return bool(self.only_left or self.only_right or self.fields)


def compare_studies(left: StudySide, right: StudySide) -> StudyDifference:
    """Both studies, each with the results of its own store."""
    ours, theirs = left.asked.record, right.asked.record
    names = varying_axes(ours.planned) | varying_axes(theirs.planned)
    here, there = _by_place(ours.planned, names), _by_place(theirs.planned, names)
    shared = [place for place in here if place in there]
    tables = tuple(_table_changes(ours.tables, theirs.tables))
    reports = left.asked.report(left.store), right.asked.report(right.store)
    unlike = {one.table for one in tables if one.is_incomparable}
    pairs = [pair for pair in _entry_pairs(*reports) if pair.table not in unlike]
    moved = [pair for pair in pairs if pair.difference]
    one_sided = [pair for pair in pairs if _is_one_sided(pair)]
    return StudyDifference(
        left=left.given,
        right=right.given,
        num_shared=len(shared),
        only_left=_groups([here[place] for place in here if place not in there], names),
        only_right=_groups([there[place] for place in there if place not in here], names),
        fields=_field_changes([(here[place], there[place]) for place in shared]),
        tables_left=tuple(name for name in ours.tables if name not in theirs.tables),
        tables_right=tuple(name for name in theirs.tables if name not in ours.tables),
        tables=tables,
        moved=tuple(sorted(moved, key=_size, reverse=True)),
        one_sided=tuple(one_sided),
        num_equal=sum(pair.difference == 0 for pair in pairs),
        num_empty=sum(pair.means == (None, None) for pair in pairs),
        problems=tuple(chain(_problems(left, reports[0]), _problems(right, reports[1]))),
    )


Place = tuple[str, int, tuple[str | None, ...]]
"""Phase, seed and the axes that tell the cells of both studies apart."""


def _by_place(cells: Sequence[PlannedCell], names: frozenset[str]) -> dict[Place, PlannedCell]:
    order = sorted(names)
    return {
        (cell.phase, cell.seed, tuple(cell.axes.get(name) for name in order)): cell
        for cell in cells
    }


def _groups(cells: Sequence[PlannedCell], names: frozenset[str]) -> tuple[CellGroup, ...]:
    seeds: dict[tuple[str, tuple[tuple[str, str], ...]], list[int]] = {}
    for cell in cells:
        axes = tuple(told(cell.axes, names).items())
        seeds.setdefault((cell.phase, axes), []).append(cell.seed)
    return tuple(
        CellGroup(phase, dict(axes), tuple(found)) for (phase, axes), found in seeds.items()
    )


def _field_changes(pairs: Sequence[tuple[PlannedCell, PlannedCell]]) -> tuple[FieldChange, ...]:
    found = Counter(change for pair in pairs for change in _cell_changes(*pair))
    return tuple(FieldChange(change, count) for change, count in found.most_common())


def _cell_changes(left: PlannedCell, right: PlannedCell) -> Iterator[Change]:
    """Settings and code; a pending or skipped cell has none."""
    skipped = ({"skipped": cell.skipped} if cell.skipped else {} for cell in (left, right))
    yield from changes(*skipped)
    if left.config is None or right.config is None:
        return
    if left.config != right.config:
        yield from changes(flat(json.loads(left.config)), flat(json.loads(right.config)))
    if left.sources != right.sources:
        for change in code_changes(left.sources, right.sources):
            yield replace(change, name=f"code of {change.name}")


def _table_changes(
    left: Mapping[str, TableSpec], right: Mapping[str, TableSpec]
) -> Iterator[TableChange]:
    for name, spec in left.items():
        if name in right and spec != right[name]:
            declared = (flat(one.model_dump(mode="json")) for one in (spec, right[name]))
            yield TableChange(name, tuple(changes(*declared)))


def _entry_pairs(left: Report, right: Report) -> Iterator[EntryPair]:
    """Entries of tables of one name, in the order of the tables."""
    others = {table.name: table for table in right.tables}
    for table in left.tables:
        if (other := others.get(table.name)) is not None:
            yield from _pairs_of(table, other)


def _pairs_of(left: Table, right: Table) -> Iterator[EntryPair]:
    for row, column in dict.fromkeys((*left.entries, *right.entries)):
        place = row, column
        entries = left.entries.get(place), right.entries.get(place)
        yield EntryPair(left.name, left.facts, *place, *entries)


def _is_one_sided(pair: EntryPair) -> bool:
    left, right = pair.means
    return (left is None) != (right is None)


def _size(pair: EntryPair) -> tuple[float, float]:
    """How far an entry moved; where its error is unknown, after all others."""
    return abs(pair.in_errors or 0), abs(pair.difference or 0)


def _problems(side: StudySide, report: Report) -> Iterator[str]:
    for problem in report.problems:
        yield f"table {problem.table} of {side.given} cannot be drawn: {problem.message}"
