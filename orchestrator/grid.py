"""Study → cells: grid, zip, blocks, seeds, skips with their reasons, picks of earlier phases.

The order is that of the study file. Values in, values out; components are checked through the
catalog, and whatever it refuses becomes an error at the place where the study says it.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.cell import Catalog, Cell, make_cell
from orchestrator.phases import Pick
from orchestrator.source import KeyPath, Source
from orchestrator.study import ALL, Block, Phase, Skip, Study, pick_reference, smoke_fields
from trainables.registry import ComponentError, nearest

Picks = Mapping[tuple[str, str], tuple[Pick, ...]]
"""(phase, name of the pick) → one pick per group."""


@dataclass(frozen=True)
class StudyCell:
    """One cell as the study asks for it.

    Args:
        phase: name of its phase.
        position: place in the study's order.
        seed: replicate.
        axes: field → value as the study writes it; the loss by its label.
        fields: plain values of the cell.
        cell: the run; None while a pick is pending, or if it is skipped.
        skipped: reason why the study leaves it out.
        pending: the pick it waits for.
    """

    phase: str
    position: int
    seed: int
    axes: Mapping[str, str]
    fields: Mapping[str, Any]
    cell: Cell | None
    skipped: str | None = None
    pending: str | None = None


def expand(
    study: Study,
    source: Source,
    catalog: Catalog,
    picks: Picks | None = None,
    *,
    smoke: bool = False,
) -> tuple[StudyCell, ...]:
    """Every cell of the study, phase after phase. Raises StudyError."""
    maker = _Maker(study, source, catalog, picks or {}, smoke)
    cells: list[StudyCell] = []
    seen: set[tuple[str, str, tuple[tuple[str, str], ...]]] = set()
    for phase_name, phase in study.stages.items():
        for fields, prefixes in _combinations(study, phase_name, phase):
            for seed in phase.seeds or study.seeds:
                made = maker.make(phase_name, phase, fields, seed, prefixes, len(cells))
                identity = (phase_name, f"{seed}", tuple(sorted(made.axes.items())))
                if identity not in seen:
                    seen.add(identity)
                    cells.append(made)
    _check_table_fields(study, source, cells)
    return tuple(cells)


def flatten(fields: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Dotted field → display string. A component's name stands under the field itself."""
    flat: dict[str, str] = {}
    for key, value in fields.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
            if not prefix and "name" in value:
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
class _Maker:
    """Plain fields → StudyCell."""

    study: Study
    source: Source
    catalog: Catalog
    picks: Picks
    smoke: bool

    def make(
        self,
        phase_name: str,
        phase: Phase,
        fields: dict[str, Any],
        seed: int,
        prefixes: tuple[KeyPath, ...],
        position: int,
    ) -> StudyCell:
        label = _loss_label(fields)
        fields = smoke_fields(fields) if self.smoke else fields
        fields, pending = self._with_picks(fields, label)
        loss = fields.pop("loss", None)
        axes = flatten(fields) | flatten({"loss": loss or ""})
        if label is not None:
            axes["loss"] = label
        if loss is not None:
            fields["loss"] = loss
        skipped = next((rule.because for rule in phase.skip if _matches(rule, axes, seed)), None)
        cell = None
        if skipped is None and pending is None:
            cell = self._cell({**fields, "seed": seed}, label, prefixes)
        return StudyCell(phase_name, position, seed, axes, fields, cell, skipped, pending)

    def _with_picks(
        self, fields: dict[str, Any], label: str | None
    ) -> tuple[dict[str, Any], str | None]:
        """Fields with picked values in place; the first pick that is not made yet."""
        found = copy.deepcopy(fields)
        axes = flatten(fields) | ({"loss": label} if label is not None else {})
        for key, value in fields.items():
            reference = pick_reference(value)
            if reference is None:
                continue
            phase, _, name = reference.partition(".")
            made = self.picks.get((phase, name), ())
            won = [p for p in made if all(axes.get(f) == v for f, v in p.group.items())]
            if not won:
                found[key] = "pending"
                return found, reference
            found[key] = won[0].value
        return found, None

    def _cell(
        self, fields: dict[str, Any], label: str | None, prefixes: tuple[KeyPath, ...]
    ) -> Cell:
        try:
            return make_cell(self.catalog.build_config(fields), self.catalog)
        except ComponentError as error:
            path = self._place(error.key or "", label, prefixes)
            raise self.source.error(error.message, path, error.nearest) from None

    def _place(self, key: str, label: str | None, prefixes: tuple[KeyPath, ...]) -> KeyPath:
        """Where the study writes a field: in a grid, a cell, or under its loss."""
        field, _, parameter = key.partition(".")
        written: list[KeyPath] = []
        for prefix in prefixes:
            written += [(*prefix, "grid", key), (*prefix, "cell", key)]
            written += [(*prefix, "cell", field, parameter)]
        if field == "loss" and label is not None:
            written += [("losses", label, parameter), ("losses", label)]
        for prefix in prefixes:
            written += [(*prefix, "grid", field), (*prefix, "cell", field)]
        return next((path for path in written if self.source.stands(path)), (key,))


def _combinations(
    study: Study, phase_name: str, phase: Phase
) -> Iterator[tuple[dict[str, Any], tuple[KeyPath, ...]]]:
    """Plain fields of each point of a phase's blocks, with the places where they may be written."""
    top: KeyPath = ("phases", phase_name) if study.phases else ()
    for index, block in enumerate(phase.blocks or (Block(),)):
        prefixes = tuple(dict.fromkeys(((*top, "blocks", index), top, ())))
        axes = [
            [{key: value} for value in _values(study, key, values)]
            for key, values in {**phase.grid, **block.grid}.items()
        ]
        for group in block.zip or phase.zip:
            rows = zip(*group.values(), strict=True)
            axes.append([dict(zip(group, row, strict=True)) for row in rows])
        for point in itertools.product(*axes):
            fields: dict[str, Any] = {}
            for part in (study.cell, phase.cell, block.cell, *point):
                for key, value in part.items():
                    _set(study, fields, key, value)
            yield fields, prefixes


def _values(study: Study, key: str, values: Any) -> list[Any]:
    if key == "loss" and values == ALL:
        return list(study.losses)
    return values if isinstance(values, list) else [values]


def _set(study: Study, fields: dict[str, Any], key: str, value: Any) -> None:
    """Set a field, or a parameter inside a component named by a dotted key."""
    field, dot, parameter = key.partition(".")
    if field == "loss" and not dot and isinstance(value, str) and value in study.losses:
        fields["loss"] = {**_as_component("loss", study.losses[value]), LABEL: value}
    elif not dot:
        fields[field] = copy.deepcopy(value)
    else:
        component = dict(_as_component(field, fields.get(field, {})))
        component[parameter] = value
        fields[field] = component


LABEL = "label"
"""Entry of a loss under expansion that carries its label; removed before the cell is made."""


def _as_component(field: str, value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    return {"kind" if field == "noise" else "name": value}


def _loss_label(fields: dict[str, Any]) -> str | None:
    """Take the label out of the loss."""
    loss = fields.get("loss")
    if isinstance(loss, dict) and LABEL in loss:
        fields["loss"] = {key: value for key, value in loss.items() if key != LABEL}
        return str(loss[LABEL])
    return None


def _matches(rule: Skip, axes: Mapping[str, str], seed: int) -> bool:
    known = {**axes, "seed": str(seed)}
    for field, values in rule.when.items():
        wanted = values if isinstance(values, list) else [values]
        if known.get(field) not in {display(value) for value in wanted}:
            return False
    return True


def _check_table_fields(study: Study, source: Source, cells: list[StudyCell]) -> None:
    """Rows, columns and filters of tables name fields that cells have. Raises StudyError."""
    known = {field for cell in cells for field in cell.axes}
    for name, table in study.tables.items():
        for key, fields in (
            ("rows", table.rows),
            ("columns", table.columns),
            ("where", table.where),
        ):
            for field in fields:
                if field not in known:
                    hint = nearest(field, known)
                    raise source.error(
                        f"no cell has a field '{field}'", ("tables", name, key), hint
                    )
