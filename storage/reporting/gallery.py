"""All figures of a study, by name, in the order of the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import plotly.graph_objects as go

from storage.attempt import PickRecord, PlannedCell
from storage.reporting.curves import table_curves
from storage.reporting.evidence import Evidence, Results, gather
from storage.reporting.figures import (
    heat_map,
    learning_curves,
    learning_rate,
    noise_rate,
    ranks,
)
from storage.reporting.ranks import rank_rows
from storage.reporting.report import Report
from storage.reporting.selection import picked_metric
from storage.reporting.spec import TableSpec
from storage.reporting.table import Table, TableError, build_table

ACCURACY, MEMORIZATION = "test_accuracy", "memorization"


def study_figures(results: Results, report: Report) -> Mapping[str, go.Figure]:
    """Name → figure, for a report drawn from the same results."""
    metrics = {ACCURACY, MEMORIZATION, *(picked_metric(pick) or ACCURACY for pick in report.picks)}
    return _figures(report, report.planned, gather(results, report.planned, metrics))


def _figures(
    report: Report, planned: Sequence[PlannedCell], evidence: Evidence
) -> Mapping[str, go.Figure]:
    """Name → figure: what each table shows over its settings and epochs, then each search."""
    figures: dict[str, go.Figure] = {}
    for table in report.tables:
        accuracy = table_curves(table, ACCURACY, evidence.curves[ACCURACY])
        memorization = table_curves(table, MEMORIZATION, evidence.curves[MEMORIZATION])
        if noise_rate.spans_noise_rate(table):
            figures[f"{table.title}: by noise rate"] = noise_rate.figure(table)
        if heat_map.is_worth_drawing(table):
            figures[f"{table.title}: all settings"] = heat_map.figure(table)
        if ranking := rank_rows(table):
            figures[f"{table.title}: ranks"] = ranks.figure(ranking)
        if accuracy:
            curves = learning_curves.figure(table, accuracy, memorization)
            figures[f"{table.title}: learning curves"] = curves
    for table, picks in _searches(report.picks, planned, evidence):
        figures[table.title] = learning_rate.figure(table, picks)
    return figures


def _searches(
    picks: Sequence[PickRecord], planned: Sequence[PlannedCell], evidence: Evidence
) -> Iterator[tuple[Table, tuple[PickRecord, ...]]]:
    """A table of the compared metric over the searched values for each pick, with its picks."""
    searches = {(p.phase, p.pick, p.field, tuple(p.group)): picked_metric(p) for p in picks}
    for (phase, name, field, by), metric in searches.items():
        title = f"{phase}.{name}: {field}"
        spec = TableSpec(title=title, rows=by, columns=(field,), phase=phase, bold="none")
        spec = spec.model_copy(update={"value": metric or ACCURACY})
        try:
            table = build_table(title, spec, planned, evidence)
        except TableError:
            continue  # searched over more than one field: no single axis can show it
        yield table, tuple(pick for pick in picks if (pick.phase, pick.pick) == (phase, name))
