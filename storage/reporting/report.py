"""A study and a store → the whole report as a value: tables, figures, picks, failures, tally.

Everything that can be claimed stands here, and everything that is missing. Knows no output format.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from storage.attempt import PickRecord, PlannedCell, StudyRecord
from storage.reporting.conditions import MadeBy, tally
from storage.reporting.evidence import Evidence, Results, Status, gather
from storage.reporting.figures.picture import Picture
from storage.reporting.pictures import build_picture
from storage.reporting.reference import (
    Comparison,
    PublishedTableError,
    compare,
    read_published,
)
from storage.reporting.table import Table, TableError, build_table


class StudyNotFoundError(Exception):
    """The store has no study of that name."""

    def __init__(self, name: str, known: Sequence[str]) -> None:
        there = f"it has {', '.join(known)}" if known else "no study was launched into it"
        super().__init__(f"the store has no study '{name}': {there}")


@dataclass(frozen=True)
class Problem:
    """A table, the published numbers beside it, or a figure that could not be drawn as declared."""

    table: str
    message: str


@dataclass(frozen=True)
class Failure:
    """Planned cells that failed for one reason. `example`: the fields of the first of them."""

    error_class: str
    error_message: str
    num_cells: int
    example: str


@dataclass(frozen=True)
class PhaseTally:
    """Where the planned cells of one phase stand."""

    phase: str
    counts: dict[Status, int]

    @property
    def num_planned(self) -> int:
        """Cells that the phase asks for, skipped ones not counted."""
        return sum(count for status, count in self.counts.items() if status is not Status.SKIPPED)

    @property
    def num_due(self) -> int:
        """Cells that a launch would still run, now or after a pick."""
        waiting = (Status.MISSING, Status.PENDING, Status.STALE)
        return sum(self.counts.get(status, 0) for status in waiting)


@dataclass(frozen=True)
class Provenance:
    """Which text the report stands on, and how its results were made; no machine's path is in it.

    Args:
        launch: that recorded the study; empty for a file that was drawn as it stands.
        made_by: how the results were really made, with counts.
        unknown: what of results cannot be compared with what is here → how many results.
    """

    source: str
    source_sha256: str
    overrides: tuple[str, ...]
    launch: str
    made_by: tuple[MadeBy, ...]
    unknown: Mapping[str, int]


@dataclass(frozen=True)
class Report:
    """All that a study ends in.

    Args:
        damaged: files of the store that were not served, and why.
        stale: reason why results no longer answer → how many cells it concerns.
        planned: the cells that it was drawn from.
        pictures: the figures that the study declares, as values.
        declares_figures: whether it declares any, drawn or not.
        remarks: what else a reader must know, such as a difference between file and launch.
    """

    study: str
    title: str
    tables: tuple[Table, ...]
    comparisons: tuple[Comparison, ...]
    picks: tuple[PickRecord, ...]
    tallies: tuple[PhaseTally, ...]
    failures: tuple[Failure, ...]
    problems: tuple[Problem, ...]
    damaged: tuple[str, ...]
    provenance: Provenance
    stale: Mapping[str, int] = field(default_factory=dict)
    planned: tuple[PlannedCell, ...] = field(default=(), repr=False)
    pictures: tuple[Picture, ...] = field(default=(), repr=False)
    declares_figures: bool = False
    remarks: tuple[str, ...] = ()


def build_report(results: Results, study_name: str, base: Path) -> Report:
    """Draw everything that a launched study declares, as it was last recorded.

    Args:
        results: an open store.
        base: folder of the study file, from which published tables are found.

    Raises:
        StudyNotFoundError: the store has no such study.
    """
    record = results.study(study_name)
    if record is None:
        raise StudyNotFoundError(study_name, results.studies())
    return draw_report(results, record, results.picks(study_name), base)


def draw_report(
    results: Results,
    record: StudyRecord,
    picks: Sequence[PickRecord],
    base: Path,
    remarks: tuple[str, ...] = (),
) -> Report:
    """Draw everything that a study declares, recorded or not.

    Args:
        results: an open store.
        record: the study.
        picks: what was picked in it.
        base: folder from which published tables are found.
        remarks: shown with the provenance.
    """
    evidence = gather(results, record.planned, _metrics(record))
    picks = tuple(sorted(picks, key=_pick_order))
    tables, table_problems = _tables(record, evidence, picks)
    comparisons, reference_problems = _comparisons(tables, base)
    pictures, figure_problems = _pictures(record, evidence)
    return Report(
        study=record.name,
        title=record.title,
        tables=tables,
        comparisons=comparisons,
        picks=picks,
        tallies=_tallies(record.planned, evidence),
        failures=_failures(record.planned, evidence),
        problems=(*table_problems, *reference_problems, *figure_problems),
        damaged=tuple(sorted(f"{file.path.name}: {file.reason}" for file in results.damaged)),
        provenance=_provenance(record, evidence),
        stale=_stale(record.planned, evidence),
        planned=record.planned,
        pictures=pictures,
        declares_figures=bool(record.figures),
        remarks=remarks,
    )


def _metrics(record: StudyRecord) -> Iterator[str]:
    """Every metric that the study's tables and figures show."""
    yield from (spec.value for spec in record.tables.values())
    for figure in record.figures.values():
        yield from figure.value


def _tables(
    record: StudyRecord, evidence: Evidence, picks: Sequence[PickRecord]
) -> tuple[tuple[Table, ...], tuple[Problem, ...]]:
    """A table that cannot be drawn does not take the others with it."""
    tables, problems = [], []
    for name, spec in record.tables.items():
        try:
            tables.append(build_table(name, spec, record.planned, evidence, picks))
        except TableError as error:
            problems.append(Problem(name, str(error)))
    return tuple(tables), tuple(problems)


def _pictures(
    record: StudyRecord, evidence: Evidence
) -> tuple[tuple[Picture, ...], tuple[Problem, ...]]:
    """A figure that cannot be drawn does not take the others with it."""
    pictures, problems = [], []
    for name, spec in record.figures.items():
        try:
            pictures.append(build_picture(name, spec, record.planned, evidence))
        except TableError as error:
            problems.append(Problem(f"figure {name}", str(error)))
    return tuple(pictures), tuple(problems)


def _comparisons(
    tables: Sequence[Table], base: Path
) -> tuple[tuple[Comparison, ...], tuple[Problem, ...]]:
    comparisons, problems = [], []
    for table in tables:
        reference = table.spec.reference
        if reference is None:
            continue
        try:
            comparisons.append(compare(table, reference, read_published(reference, base)))
        except PublishedTableError as error:
            problems.append(Problem(table.name, str(error)))
    return tuple(comparisons), tuple(problems)


def _tallies(planned: Sequence[PlannedCell], evidence: Evidence) -> tuple[PhaseTally, ...]:
    phases: dict[str, Counter[Status]] = {}
    for cell in planned:
        phases.setdefault(cell.phase, Counter())[evidence.status(cell)] += 1
    return tuple(
        PhaseTally(phase, {status: counts[status] for status in Status})
        for phase, counts in phases.items()
    )


def _stale(planned: Sequence[PlannedCell], evidence: Evidence) -> Mapping[str, int]:
    """The most frequent reason first."""
    stale = (cell for cell in planned if evidence.status(cell) is Status.STALE)
    return dict(Counter(evidence.reason(cell) for cell in stale).most_common())


def _failures(planned: Sequence[PlannedCell], evidence: Evidence) -> tuple[Failure, ...]:
    """Failed cells by reason, the most frequent first."""
    reasons: dict[tuple[str, str], dict[str, PlannedCell]] = {}
    for cell in planned:
        if cell.key is None or evidence.status(cell) is not Status.FAILED:
            continue
        tries = evidence.verdicts[cell.position].failures
        assert tries is not None
        reason = (tries.error_class or "unknown", tries.error_message or "")
        reasons.setdefault(reason, {}).setdefault(cell.key, cell)
    failures = [
        Failure(error_class, message, len(cells), _describe(next(iter(cells.values()))))
        for (error_class, message), cells in reasons.items()
    ]
    return tuple(sorted(failures, key=lambda failure: -failure.num_cells))


def _describe(cell: PlannedCell) -> str:
    axes = ", ".join(f"{name}={value}" for name, value in sorted(cell.axes.items()))
    return f"{axes}, seed={cell.seed}"


def _pick_order(pick: PickRecord) -> tuple[str, str, tuple[tuple[str, str], ...]]:
    return pick.phase, pick.pick, tuple(pick.group.items())


def _provenance(record: StudyRecord, evidence: Evidence) -> Provenance:
    unknown = Counter(what for verdict in evidence.verdicts.values() for what in verdict.unknown)
    return Provenance(
        source=Path(record.source_path).name,
        source_sha256=record.source_sha256,
        overrides=record.overrides,
        launch=record.launch,
        made_by=tuple(tally(evidence.conditions.values())),
        unknown=dict(unknown),
    )
