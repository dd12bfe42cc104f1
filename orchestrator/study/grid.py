"""Study → cells: grid, zip, blocks, seeds, skips with their reasons, picks of earlier phases.

The order is that of the study file. Values in, values out; components are checked through the
catalog, and whatever it refuses becomes an error at the place where the study says it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from orchestrator.study.candidates import PickError, check_pick
from orchestrator.study.cell import Catalog, Cell, Replicates, StudyCell
from orchestrator.study.grid_size import check_size
from orchestrator.study.model import (
    ALL,
    Block,
    DatasetPart,
    Phase,
    Skip,
    Study,
    dataset_name,
    pick_reference,
    smoke_fields,
)
from orchestrator.study.pick import Pick
from orchestrator.study.text import KeyPath, Source
from storage.reporting.spec import METRIC, FigureSpec, TableSpec
from storage.reporting.table import field_text
from trainables.config import TrainingConfig
from trainables.registry import ComponentError, nearest
from trainables.training.stackable import stack_group

Picks = Mapping[tuple[str, str], tuple[Pick, ...]]
"""(phase, name of the pick) → one pick per group."""


PENDING = "pending"
"""Shown for a field whose pick is not made yet."""


def expand(
    study: Study,
    source: Source,
    catalog: Catalog,
    picks: Picks | None = None,
    *,
    smoke: bool = False,
) -> tuple[StudyCell, ...]:
    """Every cell of the study, phase after phase. Raises StudyError."""
    check_size(study, source)
    _check_dataset_names(study, source, catalog)
    maker = _Maker(source, catalog, catalog.builder(), picks or {}, smoke)
    cells: dict[tuple[str, int, frozenset[tuple[str, str]]], StudyCell] = {}
    for name, phase in study.stages.items():
        for point in _points(study, name, phase):
            replicates = maker.replicates(name, phase, point)
            axes = frozenset(replicates.axes.items())
            for seed in phase.seeds or study.seeds:
                cell = replicates.at(seed, position=len(cells))
                # Two blocks may ask for the same cell; it stands once.
                cells.setdefault((name, seed, axes), cell)
    _check_shown_fields(study, source, list(cells.values()))
    _check_axes(study, source, list(cells.values()))
    _check_picks(study, source, list(cells.values()))
    if study.resources.asks_for_stacks:
        _check_stacks(source, list(cells.values()))
    return tuple(cells.values())


def flatten(fields: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Dotted field → display string. A component's name stands under the field itself."""
    flat: dict[str, str] = {}
    for key, value in fields.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
            if not prefix and f"{key}.name" in flat:  # not if it is a mapping, which is refused
                flat[key] = flat.pop(f"{key}.name")
        else:
            flat[f"{prefix}{key}"] = display(value)
    return flat


def display(value: Any) -> str:
    """Shortest text of a value: 0.4, 1 (also for 1.0), true, [256, 128]."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    if isinstance(value, list | tuple):
        return f"[{', '.join(display(item) for item in value)}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {display(item)}" for key, item in value.items()) + "}"
    return str(value)


@dataclass(frozen=True)
class _Point:
    """One point of a block.

    Args:
        fields: plain values of the cell, but for its seed.
        label: of its loss, None if the loss has none.
        prefixes: where its values may be written, innermost first.
    """

    fields: Mapping[str, Any]
    label: str | None
    prefixes: tuple[KeyPath, ...]


class _Replicates:
    """A point at each of its seeds → StudyCell. What the seeds share is made once.

    Args:
        skip: rules that leave cells of this point out, at some seeds or at all.
        make: makes the runs; asked for once some seed is not skipped.
    """

    def __init__(
        self,
        phase: str,
        fields: Mapping[str, Any],
        axes: Mapping[str, str],
        pending: str | None,
        skip: Sequence[Skip],
        make: Callable[[int], Replicates],
    ) -> None:
        self._phase, self._fields, self.axes, self._pending = phase, fields, axes, pending
        self._skip, self._make = skip, make
        self._runs: Replicates | None = None

    def at(self, seed: int, *, position: int) -> StudyCell:
        """The cell of one seed. Raises StudyError."""
        skipped = next((rule.because for rule in self._skip if _names_seed(rule, seed)), None)
        cell = self._cell(seed) if skipped is None and self._pending is None else None
        return StudyCell(
            self._phase, position, seed, self.axes, self._fields, cell, skipped, self._pending
        )

    def _cell(self, seed: int) -> Cell:
        self._runs = self._runs or self._make(seed)
        return self._runs.at(seed)


@dataclass(frozen=True)
class _Maker:
    """Point → its cells."""

    source: Source
    catalog: Catalog
    build: Callable[[Mapping[str, Any]], TrainingConfig]
    picks: Picks
    smoke: bool

    def replicates(self, phase_name: str, phase: Phase, point: _Point) -> _Replicates:
        fields, pending = self._with_picks(point.fields, point.label)
        axes = _axes(fields, point.label)
        skip = [rule for rule in phase.skip if _matches(rule, axes)]
        make = partial(self._runs, fields, point)
        return _Replicates(phase_name, fields, axes, pending, skip, make)

    def _with_picks(
        self, given: Mapping[str, Any], label: str | None
    ) -> tuple[dict[str, Any], str | None]:
        """Fields with picked values in place, and the first pick that is not made yet."""
        fields, axes = dict(given), _axes(given, label)
        for path, reference in _references(given):
            phase, _, name = reference.partition(".")
            made = self.picks.get((phase, name), ())
            won = [p for p in made if all(axes.get(f) == v for f, v in p.group.items())]
            fields |= _replaced(fields, path, won[0].value if won else PENDING)
            if not won:
                return fields, reference
        return fields, None

    def _runs(self, fields: Mapping[str, Any], point: _Point, seed: int) -> Replicates:
        given = {**fields, "seed": seed}
        run = smoke_fields(given) if self.smoke else given
        try:
            return Replicates(self.build(run), self.catalog)
        except ComponentError as error:
            path = self._place(error.key or "", point)
            raise self.source.error(error.message, path, error.nearest) from None

    def _place(self, key: str, point: _Point) -> KeyPath:
        """Where the study writes a field: in a grid, in a cell, or under its loss."""
        field, _, parameter = key.partition(".")
        written: list[KeyPath] = []
        for prefix in point.prefixes:
            written += [(*prefix, "grid", key), (*prefix, "cell", key)]
            written += [(*prefix, "cell", field, parameter)]
        if field == "loss" and point.label is not None:
            for prefix in point.prefixes:
                label: KeyPath = (*prefix, "losses", point.label)
                written += [(*label, parameter), label]
        for prefix in point.prefixes:
            written += [(*prefix, "grid", field), (*prefix, "cell", field)]
        return next((path for path in written if self.source.stands(path)), (key,))


def _references(fields: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """(field,) or (field, parameter) whose value is left to a pick, and that pick."""
    for field, value in fields.items():
        if (reference := pick_reference(value)) is not None:
            yield (field,), reference
        elif isinstance(value, Mapping):
            for parameter, inner in value.items():
                if (reference := pick_reference(inner)) is not None:
                    yield (field, parameter), reference


def _replaced(fields: Mapping[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """The changed field: `value` itself, or its component with one other parameter."""
    field, *inside = path
    return {field: {**fields[field], inside[0]: value} if inside else value}


def _points(study: Study, phase_name: str, phase: Phase) -> Iterator[_Point]:
    """The points of a phase's blocks, in the study's order."""
    top: KeyPath = ("phases", phase_name) if study.phases else ()
    for index, block in enumerate(phase.blocks or (Block(),)):
        prefixes = tuple(dict.fromkeys(((*top, "blocks", index), top, ())))
        losses = {**study.losses, **phase.losses, **block.losses}
        axes = [
            [{key: value} for value in _values(losses, key, values)]
            for key, values in {**phase.grid, **block.grid}.items()
        ]
        for group in block.zip or phase.zip:
            rows = zip(*group.values(), strict=True)
            axes.append([dict(zip(group, row, strict=True)) for row in rows])
        for chosen in itertools.product(*axes):
            written: dict[str, Any] = {}
            for part in (study.cell, phase.cell, block.cell, *chosen):
                written |= part
            name = dataset_name(written) or ""
            own = study.datasets.get(name, DatasetPart())
            known = {**study.losses, **own.losses, **phase.losses, **block.losses}
            places = (*prefixes, ("datasets", name))
            yield _point(known, {**own.fields_beside(written), **written}, places)


def _point(
    losses: Mapping[str, Any], written: Mapping[str, Any], prefixes: tuple[KeyPath, ...]
) -> _Point:
    """Fields as written, dotted ones laid into their components, the loss label looked up."""
    loss = written.get("loss")
    label = loss if isinstance(loss, str) and loss in losses else None
    fields = {key: value for key, value in written.items() if "." not in key}
    if label is not None:
        fields["loss"] = losses[label]
    for key, value in written.items():
        field, dot, parameter = key.partition(".")
        if dot:
            fields[field] = {**_as_component(field, fields.get(field, {})), parameter: value}
    return _Point(fields, label, prefixes)


def _values(losses: Mapping[str, Any], key: str, values: Any) -> list[Any]:
    if key == "loss" and values == ALL:
        return list(losses)
    return values if isinstance(values, list) else [values]


def _as_component(field: str, value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    return {"kind" if field == "noise" else "name": value}


def _axes(fields: Mapping[str, Any], label: str | None) -> dict[str, str]:
    """Field → what a table shows for it."""
    return {**flatten(fields), **({} if label is None else {"loss": label})}


def _matches(rule: Skip, axes: Mapping[str, str]) -> bool:
    """Whether a rule leaves out the cells of a point, whatever it says of seeds."""
    others = ((field, values) for field, values in rule.when.items() if field != "seed")
    return all(axes.get(field) in _displayed(values) for field, values in others)


def _names_seed(rule: Skip, seed: int) -> bool:
    return "seed" not in rule.when or str(seed) in _displayed(rule.when["seed"])


def _displayed(values: Any) -> set[str]:
    return {display(value) for value in (values if isinstance(values, list) else [values])}


def _check_dataset_names(study: Study, source: Source, catalog: Catalog) -> None:
    """What belongs to a data set stands under the name of one. Raises StudyError."""
    for name in study.datasets:
        try:
            catalog.require("dataset", name)
        except ComponentError as error:
            raise source.error(error.message, ("datasets", name), error.nearest) from None


def _check_stacks(source: Source, cells: list[StudyCell]) -> None:
    """Whoever names a stack's size gets stacks. Raises StudyError."""
    for entry in cells:
        if entry.cell and stack_group(entry.cell.config) is None:
            name = entry.cell.config.architecture.name
            raise source.error(
                f"{name} cannot be stacked, it does not declare `stackable = True`; "
                "'auto' stacks where it is possible",
                ("resources", "stack"),
            )


def _check_picks(study: Study, source: Source, cells: list[StudyCell]) -> None:
    """Each pick compares values that can be compared. Raises StudyError."""
    for name, phase in study.stages.items():
        for pick, rule in phase.pick.items():
            try:
                check_pick(name, rule, cells, phase.companions(rule))
            except PickError as error:
                key = () if error.key is None else (error.key,)
                path = ("phases", name, "pick", pick, *key)
                raise source.error(str(error), path, error.nearest) from None


def _check_shown_fields(study: Study, source: Source, cells: list[StudyCell]) -> None:
    """Fields that tables and figures name are fields that cells have. Raises StudyError."""
    shared = {id(cell.axes): cell.axes for cell in cells}  # the seeds of a point share theirs
    known = {field for axes in shared.values() for field in axes}
    for path, spec in study.declared:
        for key, fields in _fields_named(spec).items():
            for field in fields:
                if field not in known:
                    hint = nearest(field, known)
                    raise source.error(f"no cell has a field '{field}'", (*path, key), hint)


def _check_axes(study: Study, source: Source, cells: list[StudyCell]) -> None:
    """The cells of a figure have numbers where its axes are, above 0 on a logarithm's.

    Otherwise it could not be drawn when all of them are trained. Raises StudyError.
    """
    for path, spec in study.declared:
        if isinstance(spec, FigureSpec) and spec.axes:
            shown = {id(c.axes): c.axes for c in cells if c.cell and _is_drawn(c, spec)}
            for key, field in zip("xy", spec.axes, strict=False):
                for value in dict.fromkeys(axes.get(field) for axes in shown.values()):
                    if complaint := _axis_complaint(field, value, is_log=key in spec.log):
                        raise source.error(complaint, (*path, key))


def _is_drawn(entry: StudyCell, spec: FigureSpec) -> bool:
    """Whether a figure shows a cell."""
    if spec.phase not in (None, entry.phase):
        return False
    return all(
        entry.axes.get(field) in {field_text(value) for value in _listed(values)}
        for field, values in spec.where.items()
    )


def _listed(values: Any) -> tuple[Any, ...]:
    return values if isinstance(values, tuple) else (values,)


def _axis_complaint(field: str, value: str | None, *, is_log: bool) -> str | None:
    """Why a value has no place on an axis, None if it has."""
    if value is None:
        return f"a cell has no {field}; leave it out with where"
    try:
        number = float(value)
    except ValueError:
        return f"{field} is no numeric field: a cell has '{value}'"
    return f"log: {field} is {value} in a cell, not above 0" if is_log and number <= 0 else None


def _fields_named(spec: TableSpec | FigureSpec) -> dict[str, tuple[str, ...]]:
    """Key of a table or a figure → the fields of cells that stand there."""
    if isinstance(spec, TableSpec):
        return {"rows": spec.rows, "columns": spec.columns, "where": tuple(spec.where)}
    spanned = {
        "panels": spec.panels,
        "series": spec.lines,
        "dashed_by": () if spec.dashed_by is None else (spec.dashed_by,),
    }
    return {
        **{key: tuple(f for f in fields if f != METRIC) for key, fields in spanned.items()},
        "x": spec.axes[:1],
        "y": spec.axes[1:],
        "where": tuple(spec.where),
    }
