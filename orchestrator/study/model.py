"""Plain tree → Study: what is compared, under which protocol, which tables and figures it ends in.

Pydantic models check the form; `parse_study` turns the first violation into one line with its place
and adds the checks that span several keys. Knows no component: whether a loss or a data set exists
is found when the cells are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from orchestrator.study.resources import Resources
from orchestrator.study.text import KeyPath, Source, StudyError
from storage.reporting.selection import METRIC_FACTS
from storage.reporting.spec import FigureSpec, Metric, TableSpec
from trainables.registry import nearest

ALL = "all"
SMOKE_IMAGES = 32
LARGEST_WHOLE = 2**63 - 1
"""What a column of whole numbers holds."""

MOST_CELLS = 200_000
"""Of one study. All of them are planned in memory, whatever is run of them."""

SMOKE_SUFFIX = "-smoke"
"""Of the name under which a smoke run is kept."""
MAIN = "main"
"""Name of the one phase of a study that declares none."""


class Model(BaseModel):
    """Base of all parts of a study: immutable, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def _seed_list(value: Any) -> Any:
    """`3` means seeds 0, 1, 2."""
    if isinstance(value, int) and not isinstance(value, bool):
        if value > MOST_CELLS:
            raise ValueError(too_many(value, "seeds"))
        return list(range(value))
    return value


def too_many(count: int, of_what: str) -> str:
    """That a study asks for more than `MOST_CELLS`."""
    number = f"{count:,}" if count < 10**18 else "more than 10^18"
    return f"{number} {of_what} are too many: a study may have {MOST_CELLS:,} cells"


def _equally_long(group: dict[str, list[Any]]) -> dict[str, list[Any]]:
    if len({len(values) for values in group.values()}) > 1:
        raise ValueError("lists that advance together must have the same length")
    return group


Zipped = Annotated[dict[str, list[Any]], AfterValidator(_equally_long)]
"""Field → values; the fields of one group advance together."""

TrackerName = Literal["tensorboard", "mlflow", "wandb"]

Seed = Annotated[int, Field(ge=0, le=LARGEST_WHOLE, strict=True)]
Seeds = Annotated[tuple[Seed, ...], BeforeValidator(_seed_list), Field(min_length=1)]
Axes = dict[str, Any]
"""Field, dotted into a component → value, or list of values."""


class Skip(Model):
    """Cells that the study leaves out, and why.

    Args:
        when: field → value or values; a cell that has them all is skipped.
        because: the reason, shown in the plan and under the tables.
    """

    when: dict[str, Any]
    because: Annotated[str, Field(min_length=1)]


class PickRule(Model):
    """How a phase's winner is chosen, for each group of cells that agree in `by`.

    Args:
        field: the field whose value is picked.
        by: fields that make a group.
        metric, select, last_k: the figure compared, as in a table.
        direction: whether the largest or the smallest seed mean wins; None for the metric's own.
    """

    field: str
    by: tuple[str, ...] = ("loss",)
    metric: Metric = "test_accuracy"
    select: Literal["last", "best", "mean_of_last"] = "last"
    last_k: Annotated[int, Field(ge=1)] | None = None
    direction: Literal["max", "min"] | None = None

    @model_validator(mode="after")
    def _mean_of_last_has_k(self) -> PickRule:
        if (self.select == "mean_of_last") != (self.last_k is not None):
            raise ValueError("last_k goes with select: mean_of_last")
        return self

    @property
    def largest_wins(self) -> bool:
        if self.direction is None:
            return METRIC_FACTS[self.metric].higher_is_better
        return self.direction == "max"


class Block(Model):
    """A part of a grid; what it leaves out it takes from its phase.

    Args:
        cell: fields its cells share.
        losses: label → loss where it differs from the study's, such as other parameters at another
            class count.
        grid: field → values; the cells are their product.
        zip: groups of fields that advance together.
    """

    cell: Axes = Field(default_factory=dict)
    losses: dict[str, Any] = Field(default_factory=dict)
    grid: Axes = Field(default_factory=dict)
    zip: tuple[Zipped, ...] = ()


class Phase(Block):
    """One stage of a study: the union of its blocks, or its own grid if it has none."""

    seeds: Seeds | None = None
    blocks: tuple[Block, ...] = ()
    skip: tuple[Skip, ...] = ()
    pick: dict[str, PickRule] = Field(default_factory=dict)

    def companions(self, rule: PickRule) -> frozenset[str]:
        """Fields that other picks choose by the same rule; where they advance together with its
        own field, as in a zip, one choice is made for all of them."""
        same = (r for r in self.pick.values() if r.model_copy(update={"field": rule.field}) == rule)
        return frozenset(r.field for r in same) - {rule.field}


class DatasetPart(Model):
    """What belongs to a data set, for every cell on it that does not say otherwise.

    Args:
        cell: fields of its cells; whatever the study writes about a field goes before.
        losses: label → loss where its parameters belong to the data set's class count, in place of
            those at the top of the study; a phase or a block may change them again.
    """

    cell: Axes = Field(default_factory=dict)
    losses: dict[str, Any] = Field(default_factory=dict)

    def fields_beside(self, written: Mapping[str, Any]) -> Axes:
        """The fields of which `written` does not give the whole."""
        return {key: value for key, value in self.cell.items() if key.split(".")[0] not in written}


class Study(Model):
    """One study file. `phases` replaces `grid`, `zip`, `blocks` and `skip` at the top."""

    study: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,99}$")]
    title: str = ""
    description: str = ""
    cell: Axes = Field(default_factory=dict)
    losses: dict[str, Any] = Field(default_factory=dict)
    datasets: dict[str, DatasetPart] = Field(default_factory=dict)
    seeds: Seeds = (0,)
    grid: Axes = Field(default_factory=dict)
    zip: tuple[Zipped, ...] = ()
    blocks: tuple[Block, ...] = ()
    skip: tuple[Skip, ...] = ()
    phases: dict[str, Phase] = Field(default_factory=dict)
    tables: dict[str, TableSpec] = Field(default_factory=dict)
    figures: dict[str, FigureSpec] = Field(default_factory=dict)
    resources: Resources = Resources()
    trackers: tuple[TrackerName, ...] = ()

    @property
    def name(self) -> str:
        return self.study

    @property
    def stages(self) -> dict[str, Phase]:
        """Phases in order; a study without any has one, made of its own grid."""
        whole = Phase(grid=self.grid, zip=self.zip, blocks=self.blocks, skip=self.skip)
        return self.phases or {MAIN: whole}

    @property
    def declared(self) -> tuple[tuple[KeyPath, TableSpec | FigureSpec], ...]:
        """What its results are shown in, each with its place in the file."""
        tables = ((("tables", name), spec) for name, spec in self.tables.items())
        figures = ((("figures", name), spec) for name, spec in self.figures.items())
        return (*tables, *figures)


def parse_study(source: Source) -> Study:
    """Check the tree and make a Study of it. Raises StudyError for the first thing wrong."""
    data = {key: value for key, value in source.data.items() if key != "extends"}
    try:
        study = Study.model_validate(data)
    except ValidationError as error:
        raise _first_violation(error, source) from None
    _check_phases(study, source)
    _check_losses(study, source)
    for name, phase in study.stages.items():
        _check_seeds(phase.seeds or study.seeds, ("phases", name, "seeds"), source)
    return study


def smoke_form(study: Study) -> Study:
    """The same study on tiny synthetic data, one seed, two epochs: does everything run?"""
    seeds = study.seeds[:1]
    phases = {
        name: phase.model_copy(update={"seeds": (phase.seeds or seeds)[:1]})
        for name, phase in study.phases.items()
    }
    return study.model_copy(
        update={
            "study": f"{study.name}{SMOKE_SUFFIX}",
            "seeds": seeds,
            "phases": phases,
            "resources": Resources(),
        }
    )


def smoke_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A cell's plain fields cut down for a smoke run; what the loss and the network see stays."""
    tiny = {"name": "synthetic", "like": dataset_name(fields), "images": SMOKE_IMAGES}
    epochs, batch_size = fields.get("epochs", 1), fields.get("batch_size", 128)
    if fields.get("precision") == "tf32":
        # A form of fp32 that only a GPU has; a smoke run is for any machine.
        fields = {**fields, "precision": "fp32"}
    architecture = fields.get("architecture")
    if isinstance(architecture, dict) and "weights" in architecture:
        # Nothing is downloaded to see whether a study runs.
        fields = {**fields, "architecture": {**architecture, "weights": "random"}}
    return {
        **fields,
        "dataset": tiny,
        "epochs": min(epochs, 2) if isinstance(epochs, int) else epochs,
        "batch_size": min(batch_size, 16) if isinstance(batch_size, int) else batch_size,
    }


def dataset_name(fields: Mapping[str, Any]) -> str | None:
    """Name of a cell's data set, None where it names none."""
    dataset = fields.get("dataset")
    name = dataset.get("name") if isinstance(dataset, Mapping) else dataset
    return name if isinstance(name, str) else None


def pick_reference(value: Any) -> str | None:
    """`phase.pick` if a value asks for a pick."""
    if isinstance(value, dict) and set(value) == {"pick"} and isinstance(value["pick"], str):
        return value["pick"]
    return None


def _check_phases(study: Study, source: Source) -> None:
    """Phases stand alone, and refer only to picks of earlier phases."""
    for key in ("grid", "zip", "blocks", "skip"):
        if study.phases and getattr(study, key):
            raise source.error("belongs into a phase, since this study has phases", (key,))
    for part in ("cell", "losses", "datasets"):
        for path, value in _values_with_path(study.model_dump()[part], (part,)):
            if pick_reference(value) is not None:
                raise source.error("a pick belongs into a phase that comes after its own", path)
    known: list[str] = []
    for name, phase in study.phases.items():
        for path, value in _values_with_path(phase.model_dump(exclude={"seeds"}), ("phases", name)):
            reference = pick_reference(value)
            if reference is not None and reference not in known:
                hint = nearest(reference, known)
                raise source.error(f"no earlier phase has a pick '{reference}'", path, hint)
        known += [f"{name}.{pick}" for pick in phase.pick]
    for path, spec in study.declared:
        if spec.phase is not None and spec.phase not in study.stages:
            hint = nearest(spec.phase, study.stages)
            raise source.error(f"no phase '{spec.phase}'", (*path, "phase"), hint)


def _check_losses(study: Study, source: Source) -> None:
    """Labels named in a grid, or given other parameters on a data set, exist."""
    for name, part in study.datasets.items():
        for label in part.losses:
            if label not in study.losses:
                path: KeyPath = ("datasets", name, "losses", label)
                hint = nearest(label, study.losses)
                raise source.error(f"no loss '{label}' under 'losses'", path, hint)
    for name, phase in study.stages.items():
        prefix: KeyPath = ("phases", name) if study.phases else ()
        _check_labels(study, phase, (*prefix, "grid"), source)
        for index, block in enumerate(phase.blocks):
            _check_labels(study, block, (*prefix, "blocks", index, "grid"), source)


def _check_labels(study: Study, block: Block, path: KeyPath, source: Source) -> None:
    known = {**study.losses, **block.losses}
    labels = block.grid.get("loss", [])
    for index, label in enumerate(labels if isinstance(labels, list) else [labels]):
        if isinstance(label, str) and label != ALL and label not in known:
            hint = nearest(label, known)
            raise source.error(f"no loss '{label}' under 'losses'", (*path, "loss", index), hint)


def _check_seeds(seeds: tuple[int, ...], path: KeyPath, source: Source) -> None:
    if len(set(seeds)) < len(seeds):
        raise source.error("a seed stands here twice", path if source.stands(path) else ("seeds",))


def _values_with_path(value: Any, path: KeyPath) -> list[tuple[KeyPath, Any]]:
    """Every value of a tree with its path, the tree itself first."""
    found = [(path, value)]
    for key, item in _items(value):
        found += _values_with_path(item, (*path, key))
    return found


def _items(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list | tuple) else []


_WORDS = {
    "missing": "this key is missing",
    "string_type": "must be text",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be finite",
    "bool_type": "must be true or false",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "string_pattern_mismatch": "must be lower-case letters, digits, '-' and '_'",
}


def _first_violation(error: ValidationError, source: Source) -> StudyError:
    """Pydantic's first complaint in plain words, at its place."""
    first = error.errors()[0]
    context = first.get("ctx", {})
    kind, given = first["type"], first["input"]
    # An unknown key ends the path as the study writes it, whatever it looks like.
    tail = first["loc"][-1:] if kind == "extra_forbidden" else ()
    steps = first["loc"][: len(first["loc"]) - len(tail)]
    path = (*(step for step in steps if not _is_union_tag(step)), *tail)
    if kind == "extra_forbidden":
        hint = nearest(str(path[-1]), _keys_at(path[:-1]))
        return source.error("unknown key", path, hint)
    if kind == "literal_error":
        options = context["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        hint = nearest(str(given), options)
        return source.error(f"must be one of {', '.join(options)}, not {given!r}", path, hint)
    if kind == "value_error":
        return source.error(str(context["error"]), path)
    words = _WORDS.get(kind, first["msg"][:1].lower() + first["msg"][1:])
    shown = "" if kind == "missing" else f", not {_shortened(given)}"
    return source.error(words + shown, path)


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _is_union_tag(step: str | int) -> bool:
    """Pydantic names the tried member of a union in the path; it is no key of the study."""
    return isinstance(step, str) and (step in ("str", "int", "float") or "[" in step)


def _keys_at(path: KeyPath) -> list[str]:
    """Keys that the model at `path` knows."""
    model: type[BaseModel] = Study
    for step in path:
        field = model.model_fields.get(step) if isinstance(step, str) else None
        inner = _model_in(field.annotation) if field else None
        model = inner or model
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
