"""Planned cells and their evidence → a table: mean ± SEM per entry, and what each mean hides.

A table never averages over silently missing cells: an entry knows how many seeds were planned, how
many have a number and where the rest stands. Values in, values out; how it looks is decided by the
renderers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from storage.attempt import PickRecord, PlannedCell
from storage.reporting.bold import Group, bold_keys
from storage.reporting.conditions import MadeBy, mixed, tally
from storage.reporting.evidence import Evidence, Status
from storage.reporting.sameness import differences, in_words
from storage.reporting.selection import METRIC_FACTS, MetricFacts
from storage.reporting.spec import TableSpec
from storage.reporting.statistics import mean, standard_error

Header = tuple[str, ...]
"""Values of a table's row fields, or of its column fields, outermost first."""

Place = tuple[Header, Header]
"""Row and column of an entry."""

UNSET = "(unset)"
"""Header of cells that do not have the field."""


class TableError(Exception):
    """A table cannot be drawn as it is declared; the message says what to change."""


class MixedCellsError(TableError):
    """Cells of one entry differ in more than the seed; `reason` says where and in what."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason}; put these into rows, columns, where or phase")
        self.reason = reason


@dataclass(frozen=True)
class Entry:
    """All seeds of one row and column.

    Args:
        values: seed → number in the table's unit; None where a run that ended has no finite one.
        keys: seed → key of the run, for runs that ended with a result.
        num_planned: runs that the study asks for, skipped ones not counted.
        counts: how many of them stand where.
        num_at_chance: finished runs that answer no better than by guessing.
        skipped: reasons why the study leaves runs out.
        fields: field → value, for those that all its cells share.
        made_by: how its runs were made, with counts.
        mixed: in what they were made differently, in words.
        num_conflicting: runs of which the store also holds other numbers.
        is_bold: whether the bold rule marks it.
    """

    values: Mapping[int, float | None] = field(default_factory=dict)
    keys: Mapping[int, str] = field(default_factory=dict)
    num_planned: int = 0
    counts: Mapping[Status, int] = field(default_factory=dict)
    num_at_chance: int = 0
    skipped: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)
    made_by: tuple[MadeBy, ...] = ()
    mixed: tuple[str, ...] = ()
    num_conflicting: int = 0
    is_bold: bool = False

    @property
    def n(self) -> int:
        """Runs that ended with a result."""
        return len(self.values)

    @property
    def num_undefined(self) -> int:
        return sum(value is None for value in self.values.values())

    @cached_property
    def numbers(self) -> dict[int, float]:
        """Seed → number, undefined ones left out."""
        return {seed: value for seed, value in self.values.items() if value is not None}

    @cached_property
    def mean(self) -> float | None:
        """Mean over seeds; None if there is no result or if one of them is undefined."""
        return None if self.num_undefined else mean(list(self.numbers.values()))

    @cached_property
    def sem(self) -> float | None:
        return None if self.num_undefined else standard_error(list(self.numbers.values()))

    @property
    def is_complete(self) -> bool:
        return self.num_planned > 0 and self.n == self.num_planned

    @property
    def has_collapsed(self) -> bool:
        """Whether a run diverged or ended at chance: then the spread says nothing of the rest."""
        return self.count(Status.DIVERGED) > 0 or self.num_at_chance > 0

    def count(self, status: Status) -> int:
        return self.counts.get(status, 0)


@dataclass(frozen=True)
class Table:
    """A table as values; `entries` holds every combination of a row and a column.

    Args:
        name: its name in the study.
        rows, columns: headers in the order in which the study plans them.
        picks: recorded picks that fixed a field of the cells shown.
        excluded_from_bold: whether an incomplete entry stood out of the comparison.
        is_untested: whether the paired rule met a column with fewer than two shared seeds.
        is_shortened: whether `last_k` is more than some run's epochs.
    """

    name: str
    spec: TableSpec
    rows: tuple[Header, ...]
    columns: tuple[Header, ...]
    entries: Mapping[tuple[Header, Header], Entry]
    picks: tuple[PickRecord, ...] = ()
    excluded_from_bold: bool = False
    is_untested: bool = False
    is_shortened: bool = False

    @property
    def facts(self) -> MetricFacts:
        return METRIC_FACTS[self.spec.value]

    @cached_property
    def num_planned(self) -> int:
        """Seeds that most entries are planned with; the larger number if two are as frequent."""
        planned = Counter(e.num_planned for e in self.entries.values() if e.num_planned)
        return max(planned, key=lambda n: (planned[n], n), default=0)

    @property
    def title(self) -> str:
        return self.spec.title or self.name

    @property
    def competitions(self) -> tuple[Group[Place], ...]:
        """What the bold rule compares: the complete entries of each column, or of each row."""
        if self.spec.bold_over == "rows":
            lines = [[(row, column) for row in self.rows] for column in self.columns]
        else:
            lines = [[(row, column) for column in self.columns] for row in self.rows]
        return tuple(map(self._competition, lines))

    def _competition(self, places: Sequence[Place]) -> Group[Place]:
        entries = {place: self.entries[place] for place in places}
        ready = {p: e for p, e in entries.items() if e.is_complete and e.mean is not None}
        return Group(
            {place: entry.numbers for place, entry in ready.items()},
            self.facts.higher_is_better,
            barred=frozenset(place for place, entry in ready.items() if entry.has_collapsed),
        )


def build_table(
    name: str,
    spec: TableSpec,
    planned: Sequence[PlannedCell],
    evidence: Evidence,
    picks: Sequence[PickRecord] = (),
) -> Table:
    """Draw one table. Raises TableError."""
    groups: dict[tuple[Header, Header], list[PlannedCell]] = {}
    for cell in planned:
        if (place := place_of(cell, spec)) is not None:
            groups.setdefault(place, []).append(cell)
    shown = [cell for cells in groups.values() for cell in cells]
    if not shown:
        raise TableError("no planned cell meets its phase and where")
    rows = tuple(dict.fromkeys(row for row, _ in groups))
    columns = tuple(dict.fromkeys(column for _, column in groups))
    entries = {
        (row, column): _entry(groups.get((row, column), []), spec, evidence)
        for row in rows
        for column in columns
    }
    return _with_bold(
        Table(
            name=name,
            spec=spec,
            rows=rows,
            columns=columns,
            entries=entries,
            picks=tuple(pick for pick in picks if _fixes(pick, shown, planned)),
            is_shortened=_is_shortened(shown, spec, evidence),
        )
    )


def place_of(cell: PlannedCell, spec: TableSpec) -> tuple[Header, Header] | None:
    """The row and the column in which a table has a cell; None if it does not show it."""
    if not _is_shown(cell, spec):
        return None
    return _header(cell, spec.rows), _header(cell, spec.columns)


def field_text(value: object) -> str:
    """A value of `where` as cells write it: 0.4, 1 for 1.0."""
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _is_shown(cell: PlannedCell, spec: TableSpec) -> bool:
    if spec.phase is not None and cell.phase != spec.phase:
        return False
    for name, wanted in spec.where.items():
        values = wanted if isinstance(wanted, tuple) else (wanted,)
        if cell.axes.get(name) not in {field_text(value) for value in values}:
            return False
    return True


def _header(cell: PlannedCell, fields: Iterable[str]) -> Header:
    return tuple(cell.axes.get(name, UNSET) for name in fields)


def _entry(cells: Sequence[PlannedCell], spec: TableSpec, evidence: Evidence) -> Entry:
    """One run per seed. Raises TableError if the cells differ in more than their seed."""
    _check_replicates(cells, spec)
    # Two phases may ask for the same run; where only one of them skips it, it is planned.
    by_seed = {cell.seed: cell for cell in sorted(cells, key=lambda cell: cell.skipped is None)}
    runs = {seed: by_seed[seed] for seed in sorted(by_seed)}
    statuses = {seed: evidence.status(cell) for seed, cell in runs.items()}
    counts = Counter(statuses.values())
    ended = {seed: runs[seed].key or "" for seed, status in statuses.items() if status.has_result}
    conditions = [evidence.conditions[k] for k in ended.values() if k in evidence.conditions]
    return Entry(
        values={seed: evidence.number(key, statuses[seed], spec) for seed, key in ended.items()},
        keys=ended,
        num_planned=len(runs) - counts[Status.SKIPPED],
        counts={status: counts[status] for status in Status if counts[status]},
        num_at_chance=sum(
            key in evidence.at_chance and statuses[seed] is Status.FINISHED
            for seed, key in ended.items()
        ),
        skipped=tuple(dict.fromkeys(c.skipped for c in runs.values() if c.skipped is not None)),
        fields=_shared_fields(cells),
        made_by=tuple(tally(conditions)),
        mixed=mixed(conditions),
        num_conflicting=sum(key in evidence.conflicting for key in ended.values()),
    )


def _check_replicates(cells: Sequence[PlannedCell], spec: TableSpec) -> None:
    found = dict(differences(cells))
    if not found:
        return
    phases = tuple(dict.fromkeys(cell.phase for cell in cells))
    if len(phases) > 1:
        found = {"phase": phases} | found
    spanned = (*spec.rows, *spec.columns)
    header = zip(spanned, _header(cells[0], spanned), strict=True)
    place = ", ".join(f"{name}={value}" for name, value in header)
    raise MixedCellsError(
        f"the cells of {place or 'the table'} differ in more than the seed: {in_words(found)}"
    )


def _shared_fields(cells: Sequence[PlannedCell]) -> dict[str, str]:
    if not cells:
        return {}
    items = set.intersection(*(set(cell.axes.items()) for cell in cells))
    return {name: value for name, value in cells[0].axes.items() if (name, value) in items}


def _with_bold(table: Table) -> Table:
    """The bold rule in each competition; only entries with all planned seeds take part."""
    bold: set[Place] = set()
    is_untested = False
    for group in table.competitions:
        verdict = bold_keys(group, table.spec.bold, table.spec.alpha)
        bold |= verdict.keys
        is_untested |= verdict.is_untested
    asked = [entry for entry in table.entries.values() if entry.num_planned]
    return replace(
        table,
        entries={
            place: replace(entry, is_bold=place in bold) for place, entry in table.entries.items()
        },
        excluded_from_bold=table.spec.bold != "none" and not all(e.is_complete for e in asked),
        is_untested=is_untested,
    )


def _fixes(pick: PickRecord, shown: Sequence[PlannedCell], planned: Sequence[PlannedCell]) -> bool:
    """Whether the cells shown come after the pick's phase and carry the value that it chose."""
    searched = [cell.position for cell in planned if cell.phase == pick.phase]
    chosen = [
        cell.axes.get(pick.field)
        for cell in shown
        if cell.phase != pick.phase
        and cell.position > max(searched, default=-1)
        and all(cell.axes.get(name) == value for name, value in pick.group.items())
    ]
    return bool(chosen) and all(value == pick.value for value in chosen)


def _is_shortened(shown: Sequence[PlannedCell], spec: TableSpec, evidence: Evidence) -> bool:
    curves = evidence.curves[spec.value]
    keys = {cell.key for cell in shown if cell.key is not None}
    return any(len(curves[key]) < (spec.last_k or 1) for key in keys if key in curves)
