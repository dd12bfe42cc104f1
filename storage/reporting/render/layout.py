"""Report → document, in reading order: tables, published numbers, picks, then what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite

from storage.attempt import PickRecord
from storage.reporting.evidence import Status
from storage.reporting.ranks import Ranking, rank_rows
from storage.reporting.render.document import Cell, Document, Grid, Section, printable, printables
from storage.reporting.render.entries import (
    NOTHING,
    UNDEFINED,
    comparison_section,
    table_section,
)
from storage.reporting.report import PhaseTally, Report
from storage.reporting.selection import METRIC_FACTS, picked_metric
from storage.reporting.table import Table

TIE, EDGE = "tie", "edge"
REMARKS = {
    TIE: "the runner-up has the same score; the value that stands first in the grid was taken",
    EDGE: "the smallest or the largest value tried; a wider grid might hold a better one",
}
"""Remark on a pick → meaning."""

CHANGES = "changes: share of 1,000 bootstrap samples of the seeds in which another value wins"


def lay_out(report: Report) -> Document:
    """The whole report as a document."""
    published = {comparison.table.name: comparison for comparison in report.comparisons}
    sections: list[Section] = []
    for table in report.tables:
        sections.append(table_section(table))
        if table.name in published:
            sections.append(comparison_section(published[table.name]))
        if ranking := rank_rows(table):
            sections.append(_ranking_section(table, ranking))
    if report.picks:
        sections.append(_picks_section(report.picks))
    sections += [_tally_section(report), *_failures_section(report)]
    sections += [*_problems_section(report), _provenance_section(report)]
    title = f"{report.study}: {report.title}" if report.title else report.study
    return Document(printable(title), (_summary(report.tallies),), tuple(sections))


def _ranking_section(table: Table, ranking: Ranking) -> Section:
    body = [
        (
            *(Cell(printable(text)) for text in rank.header),
            Cell(f"{rank.mean:.2f}"),
            Cell(NOTHING if rank.interval is None else "{:.2f} to {:.2f}".format(*rank.interval)),
            Cell(str(rank.num_wins)),
        )
        for rank in ranking.ranks
    ]
    headings = printables((*table.spec.rows, "mean rank", "interval", "wins"))
    return Section(
        heading=printable(f"{table.title}: ranks"),
        caption=printables(_ranking_words(ranking)),
        grid=Grid((headings,), tuple(body), len(table.spec.rows)),
    )


def _ranking_words(ranking: Ranking) -> Iterator[str]:
    yield f"Mean rank of the seed means over {ranking.num_settings} settings (columns), 1 is best."
    yield "Wins: settings in which no other mean is better."
    numbers = " or ".join(str(n) for n in ranking.num_seeds)
    if ranking.has_unequal_seeds:
        yield f"All of it on the {numbers} seeds that the entries of a setting share."
    if min(ranking.num_seeds) > 1:
        yield (
            f"Interval: 95 % bootstrap over the {numbers} seeds of a setting; "
            "it says how firm the ranking is on these settings, nothing about others."
        )
    if ranking.num_left_out:
        yield (
            f"{ranking.num_left_out} settings with missing numbers, or without a seed that all "
            "share, are left out."
        )


def _picks_section(picks: Sequence[PickRecord]) -> Section:
    by = tuple(dict.fromkeys(field for pick in picks for field in pick.group))
    labels = ("pick", *by, "field", "value", "runner-up", "remarks")
    headings = printables((*labels, "score", "runner-up's score", "n", "changes"))
    rules = dict.fromkeys(f"{pick.phase}.{pick.pick}: {pick.rule}." for pick in picks)
    return Section(
        heading="Picks",
        caption=printables(rules),
        grid=Grid((headings,), tuple(_pick_cells(p, by) for p in picks), len(labels)),
        notes=(
            *(
                f"{remark}: {meaning}"
                for remark, meaning in REMARKS.items()
                if any(remark in _remarks(pick) for pick in picks)
            ),
            *([CHANGES] if any(pick.changed_share is not None for pick in picks) else []),
        ),
    )


def _pick_cells(pick: PickRecord, by: Sequence[str]) -> tuple[Cell, ...]:
    texts = (
        f"{pick.phase}.{pick.pick}",
        *(pick.group.get(field, "") for field in by),
        pick.field,
        pick.value,
        NOTHING if pick.runner_up is None else pick.runner_up,
        ", ".join(_remarks(pick)),
        _score_text(pick, pick.score),
        _score_text(pick, pick.runner_up_score),
        str(pick.num_seeds),
        NOTHING if pick.changed_share is None else f"{100 * pick.changed_share:.0f}%",
    )
    return tuple(Cell(printable(text)) for text in texts)


def _remarks(pick: PickRecord) -> tuple[str, ...]:
    is_so = {TIE: pick.is_tie, EDGE: pick.at_edge}
    return tuple(remark for remark, applies in is_so.items() if applies)


def _score_text(pick: PickRecord, score: float | None) -> str:
    """In per cent if the metric is a fraction; a value with an undefined run has no score."""
    if score is None:
        return NOTHING
    if not isfinite(score):
        return UNDEFINED
    metric = picked_metric(pick)
    is_fraction = metric is not None and METRIC_FACTS[metric].is_fraction
    return f"{100 * score:.2f}%" if is_fraction else f"{score:.4g}"


def _tally_section(report: Report) -> Section:
    shown = [status for status in Status if any(t.counts.get(status) for t in report.tallies)]
    headings = ("phase", "planned", *(status.value for status in shown))
    body = [
        tuple(
            Cell(printable(text))
            for text in (
                tally.phase,
                str(tally.num_planned),
                *(str(tally.counts.get(status, 0)) for status in shown),
            )
        )
        for tally in report.tallies
    ]
    return Section(
        heading="Cells",
        grid=Grid((headings,), tuple(body)) if body else None,
        notes=printables(f"damaged file, not served: {file}" for file in report.damaged),
    )


def _summary(tallies: Sequence[PhaseTally]) -> str:
    """One sentence: how much of what was asked for is there."""
    planned = sum(tally.num_planned for tally in tallies)
    counts = {status: sum(t.counts.get(status, 0) for t in tallies) for status in Status}
    parts = [f"{count} {status.value}" for status, count in counts.items() if count]
    return f"{planned} planned cells: {', '.join(parts) or 'none'}."


def _failures_section(report: Report) -> Iterator[Section]:
    if report.failures:
        body = [
            tuple(
                Cell(printable(text))
                for text in (f.error_class, f.error_message, f.example, str(f.num_cells))
            )
            for f in report.failures
        ]
        headings = ("failure", "message", "for example", "cells")
        yield Section("Failures", grid=Grid((headings,), tuple(body), num_labels=3))


def _problems_section(report: Report) -> Iterator[Section]:
    if report.problems:
        problems = (f"{problem.table}: {problem.message}" for problem in report.problems)
        yield Section("Tables and figures that could not be drawn", notes=printables(problems))


def _provenance_section(report: Report) -> Section:
    origin = report.provenance
    overrides = [f"overrides {' '.join(origin.overrides)}"] if origin.overrides else []
    recorded = f"launch {origin.launch}" if origin.launch else "drawn from the file as it stands"
    lines = (
        f"study {origin.source}, SHA-256 {origin.source_sha256[:16]}…",
        *overrides,
        recorded,
        *(f"{count} results: {what} not comparable" for what, count in origin.unknown.items()),
        *report.remarks,
    )
    body = [
        tuple(Cell(printable(text)) for text in (one.word, one.value, str(one.count)))
        for one in origin.made_by
    ]
    headings = ("made by", "", "results")
    grid = Grid((headings,), tuple(body), num_labels=2) if body else None
    return Section("Provenance", grid=grid, notes=printables(lines))
