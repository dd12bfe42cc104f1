"""All figures of a study, by name, in the order of the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

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
from storage.reporting.figures.drawing import draw
from storage.reporting.figures.learning_curves import MetricCurves
from storage.reporting.pictures import is_drawn
from storage.reporting.ranks import rank_rows
from storage.reporting.report import Report
from storage.reporting.selection import axis_words, picked_metric
from storage.reporting.spec import TableSpec
from storage.reporting.table import Table, TableError, build_table

ACCURACY, MEMORIZATION = "test_accuracy", "memorization"


@dataclass(frozen=True)
class ShownFigure:
    """A figure with the words around it; `figure` is None where no result is there to draw."""

    title: str
    figure: go.Figure | None
    caption: str = ""


def shown_figures(results: Results, report: Report) -> Iterator[ShownFigure]:
    """All figures of a report: those that the study declares, then those of its tables."""
    for picture in report.pictures:
        figure = draw(picture) if is_drawn(picture) else None
        yield ShownFigure(picture.title, figure, picture.caption)
    for title, figure in study_figures(results, report).items():
        yield ShownFigure(title, figure)


def study_figures(results: Results, report: Report) -> Mapping[str, go.Figure]:
    """Name → figure of what its tables show, for a report drawn from the same results."""
    values = (table.spec.value for table in report.tables)
    picked = (picked_metric(pick) or ACCURACY for pick in report.picks)
    metrics = {MEMORIZATION, *values, *picked}
    return _figures(report, report.planned, gather(results, report.planned, metrics))


def _figures(
    report: Report, planned: Sequence[PlannedCell], evidence: Evidence
) -> Mapping[str, go.Figure]:
    """Name → figure: what each table shows over its settings and epochs, then each search.

    A study that declares figures of its own says by them which curves it wants.
    """
    figures: dict[str, go.Figure] = {}
    panels = {} if report.declares_figures else _learning_curves(report.tables, evidence)
    for table in report.tables:
        if noise_rate.spans_noise_rate(table):
            figures[f"{table.title}: by noise rate"] = noise_rate.figure(table)
        if heat_map.is_worth_drawing(table):
            figures[f"{table.title}: all settings"] = heat_map.figure(table)
        if ranking := rank_rows(table):
            figures[f"{table.title}: ranks"] = ranks.figure(ranking)
        if table.name in panels:
            curves = learning_curves.figure(table, panels[table.name])
            figures[f"{table.title}: learning curves"] = curves
    for table, picks in _searches(report.picks, planned, evidence):
        figures[table.title] = learning_rate.figure(table, picks)
    return figures


def _learning_curves(
    tables: Sequence[Table], evidence: Evidence
) -> Mapping[str, list[MetricCurves]]:
    """Table → what its learning curves show: its own metric, each content for one table only."""
    panels: dict[str, list[MetricCurves]] = {}
    drawn: set[tuple[str, frozenset[frozenset[str]]]] = set()
    has_own = any(table.spec.value == MEMORIZATION for table in tables)
    for table in tables:
        is_beside = table.spec.value == ACCURACY and not has_own
        for metric in (table.spec.value, *([MEMORIZATION] if is_beside else [])):
            curves = table_curves(table, metric, evidence.curves[metric])
            runs = frozenset(frozenset(table.entries[place].keys.values()) for place in curves)
            if curves and (metric, runs) not in drawn:
                drawn.add((metric, runs))
                panels.setdefault(table.name, []).append(MetricCurves(axis_words(metric), curves))
    return panels


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
