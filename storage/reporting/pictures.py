"""Planned cells, their evidence and a declared figure → a picture. Values in, values out.

A figure stands on tables, one for each of its metrics: so its cells are chosen, compared and
counted as those of a table are, and cells of differing settings are never averaged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from storage.attempt import PlannedCell, StudyRecord
from storage.reporting.curves import table_curves
from storage.reporting.evidence import Evidence, Results, gather
from storage.reporting.figure_axes import plane_axes, value_axis
from storage.reporting.figures.picture import Axis, Dash, Line, Panel, Picture, Plane, Scale
from storage.reporting.picture_words import Shown, caption, field_words, value_words, words_beside
from storage.reporting.selection import axis_words
from storage.reporting.spec import METRIC, STEPS, FigureSpec, Metric, TableSpec
from storage.reporting.spread import band_of
from storage.reporting.steps import steps_per_epoch
from storage.reporting.table import (
    UNSET,
    Header,
    MixedCellsError,
    Table,
    TableError,
    build_table,
    place_of,
)

DASHES: tuple[Dash, ...] = ("solid", "dash", "dot")


@dataclass(frozen=True)
class Group:
    """What one line, or the plane of one panel, is drawn from.

    Args:
        fields: value of each field that tells it apart, the metric among them.
        row: its row in the table of its metric.
    """

    fields: Mapping[str, str]
    metric: str
    row: Header

    def values(self, names: Sequence[str]) -> Header:
        return tuple(self.fields[name] for name in names)


def recorded_picture(results: Results, record: StudyRecord, name: str) -> Picture:
    """A figure of a study, drawn from what the store holds by now. Raises TableError."""
    spec = record.figures[name]
    return build_picture(name, spec, record.planned, gather(results, record.planned, spec.value))


def build_picture(
    name: str, spec: FigureSpec, planned: Sequence[PlannedCell], evidence: Evidence
) -> Picture:
    """Draw one declared figure. Raises TableError."""
    tables: dict[str, Table] = {
        metric: _table(name, spec, metric, planned, evidence) for metric in spec.value
    }
    groups = [_group(spec, metric, row) for metric in tables for row in tables[metric].rows]
    axis = _EpochAxis.of(spec, tables[spec.value[0]], planned)
    drawing = _Drawing(spec, tables, evidence, axis, groups)
    panels = tuple(drawing.panels())
    return Picture(
        name=name,
        title=spec.title or name,
        caption=caption(Shown(spec, tables, panels, axis.remark)),
        panels=panels,
        num_columns=min(len(panels), 3) if len(panels) % 2 else 2,
    )


def is_drawn(picture: Picture) -> bool:
    """Whether there is anything to see: a picture without results has its caption only."""
    return any(panel.lines or panel.plane for panel in picture.panels)


def _table(
    name: str, spec: FigureSpec, metric: Metric, planned: Sequence[PlannedCell], evidence: Evidence
) -> Table:
    try:
        return build_table(name, _table_spec(spec, metric), planned, evidence)
    except MixedCellsError as error:
        places = "panels, series, dashed_by, where or phase"
        raise TableError(f"{error.reason}; put these into {places}") from None


def _table_spec(spec: FigureSpec, metric: Metric) -> TableSpec:
    return TableSpec(
        title=spec.title,
        rows=tuple(dict.fromkeys(spec.spanned)),
        columns=spec.axes,
        value=metric,
        select=spec.select,
        last_k=spec.last_k,
        phase=spec.phase,
        where=spec.where,
        bold="none",
    )


def _group(spec: FigureSpec, metric: str, row: Header) -> Group:
    names = dict.fromkeys(spec.spanned)
    return Group({**dict(zip(names, row, strict=True)), METRIC: metric}, metric, row)


@dataclass(frozen=True)
class _EpochAxis:
    """How far apart epochs lie on the axis: row → steps of an epoch; empty where epochs count."""

    steps: Mapping[Header, int]
    remark: str = ""

    @classmethod
    def of(cls, spec: FigureSpec, table: Table, planned: Sequence[PlannedCell]) -> _EpochAxis:
        if spec.x != STEPS:
            return cls({})
        found = {
            place[0]: steps_per_epoch(cell.config, spec.train_images)
            for cell in planned
            if (place := place_of(cell, table.spec)) is not None and cell.config is not None
        }
        steps = {row: number for row, number in found.items() if number is not None}
        if len(steps) < len(found):
            return cls({}, "The axis counts epochs, since the number of steps of one is not known.")
        return cls(steps)

    @property
    def label(self) -> str:
        return STEPS if self.steps else "epoch"

    def places(self, row: Header, num_epochs: int) -> tuple[float, ...]:
        """Where the ends of the epochs lie."""
        return tuple(epoch * self.steps.get(row, 1) for epoch in range(1, num_epochs + 1))


@dataclass(frozen=True)
class _Drawing:
    """What all panels of a picture share."""

    spec: FigureSpec
    tables: Mapping[str, Table]
    evidence: Evidence
    axis: _EpochAxis
    groups: Sequence[Group]

    def panels(self) -> Iterator[Panel]:
        """A panel for each combination that the study has."""
        for header in self._headers(self.spec.panels):
            inside = [group for group in self.groups if group.values(self.spec.panels) == header]
            yield self._panel(header, inside)

    def _headers(self, fields: Sequence[str]) -> list[Header]:
        """Combinations that the study has, field by field in its order."""
        present = {group.values(fields) for group in self.groups}
        return [header for header in product(*map(self._values, fields)) if header in present]

    def _values(self, field: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(group.fields[field] for group in self.groups))

    def _panel(self, header: Header, groups: Sequence[Group]) -> Panel:
        title = ", ".join(map(value_words, self.spec.panels, header))
        metrics = tuple(dict.fromkeys(group.metric for group in groups))
        if self.spec.kind == "plane":
            if len(metrics) > 1:
                raise TableError("a plane shows one metric; put metric into panels")
            plane = self._plane(groups[0])
            x, y = plane_axes([field_words(f) for f in self.spec.axes], self._scales(), plane)
            return Panel(title, x, y, plane=plane)
        lines = self._lines(groups)
        return Panel(title, self._x_axis(lines), value_axis(metrics, lines), lines=lines)

    def _scales(self) -> tuple[Scale, ...]:
        """Of the numeric fields; none of them may have a value that no logarithm has."""
        scales: list[Scale] = []
        for axis, field in zip("xy", self.spec.axes, strict=False):
            is_log = axis in self.spec.log
            values = {cell[self.spec.axes.index(field)] for cell in self._columns()}
            if is_log and any(_number(field, value) <= 0 for value in values):
                raise TableError(f"log: {axis} is impossible, since {field} is not always above 0")
            scales.append("log" if is_log else "linear")
        return tuple(scales)

    def _columns(self) -> tuple[Header, ...]:
        return self.tables[self.spec.value[0]].columns

    def _x_axis(self, lines: Sequence[Line]) -> Axis:
        if self.spec.kind != "epochs":
            return Axis(field_words(self.spec.axes[0]), self._scales()[0])
        # Training begins at 0, though its first number stands at the end of the first epoch.
        ends = [line.x[-1] for line in lines]
        return Axis(self.axis.label, limits=(0, max(ends)) if ends else None)

    def _lines(self, groups: Sequence[Group]) -> tuple[Line, ...]:
        draw = self._curve if self.spec.kind == "epochs" else self._points
        lines = (draw(group) for group in groups)
        return tuple(line for line in lines if any(value is not None for value in line.y))

    def _curve(self, group: Group) -> Line:
        """Means over epochs; without any point where no run has a result."""
        table = self.tables[group.metric]
        curves = table_curves(table, group.metric, self.evidence.curves[group.metric])
        curve = curves.get((group.row, ()))
        if curve is None:
            return self._line(group, (), (), (), ())
        x = self.axis.places(group.row, len(curve.mean))
        return self._line(group, x, curve.mean, curve.sem, [curve.n] * len(x))

    def _points(self, group: Group) -> Line:
        """Means over the field on the axis, in its order."""
        table = self.tables[group.metric]
        places = sorted((_number(self.spec.axes[0], column[0]), column) for column in table.columns)
        entries = [(x, table.entries[group.row, column]) for x, column in places]
        shown = [(x, entry) for x, entry in entries if entry.num_planned]
        return self._line(
            group,
            tuple(x for x, _ in shown),
            tuple(entry.mean for _, entry in shown),
            tuple(entry.sem for _, entry in shown),
            [entry.n for _, entry in shown],
        )

    def _line(
        self,
        group: Group,
        x: tuple[float, ...],
        y: tuple[float | None, ...],
        sem: Sequence[float | None],
        n: Sequence[int],
    ) -> Line:
        series, dashed = self.spec.lines, self.spec.dashed_by
        dash = 0 if dashed is None else self._values(dashed).index(group.fields[dashed])
        if dash >= len(DASHES):
            raise TableError(f"dashed_by: {dashed} has more than {len(DASHES)} values")
        return Line(
            name=", ".join(self._names(group, dash)),
            x=x,
            y=y,
            colour=self._headers(series).index(group.values(series)),
            dash=DASHES[dash],
            band=band_of(self.spec.band, y, sem, n),
            n=min((runs for runs, mean in zip(n, y, strict=True) if mean is not None), default=0),
        )

    def _names(self, group: Group, dash: int) -> Iterator[str]:
        """What a line is called: a dashed one says what sets it apart from the solid one."""
        for field in self.spec.lines:
            if group.fields[field] != UNSET:
                yield value_words(field, group.fields[field])
        if (dashed := self.spec.dashed_by) is not None and dash:
            solid, own = (value_words(dashed, self._values(dashed)[place]) for place in (0, dash))
            yield words_beside(own, solid)

    def _plane(self, group: Group) -> Plane | None:
        """Means over the grid; an entry without one is not a number."""
        table = self.tables[group.metric]
        means = {
            tuple(_number(f, v) for f, v in zip(self.spec.axes, column, strict=True)): entry.mean
            for (row, column), entry in table.entries.items()
            if row == group.row
        }
        if all(mean is None for mean in means.values()):
            return None
        x, y = (tuple(sorted({place[i] for place in means})) for i in (0, 1))
        values = tuple(tuple(_or_nan(means.get((a, b))) for a in x) for b in y)
        return Plane(axis_words(group.metric), x, y, values)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _number(field: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise TableError(f"{field} is no numeric field: a cell has {value!r}") from None
