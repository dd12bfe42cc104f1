"""What a study asks of its report: tables, figures, and the selection rules behind their numbers.

Values only. The study file holds them, the launch records them with the study, and the report
draws from them. Knows the names of metrics, not how any of them is computed.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from storage.schema import METRICS


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Fields: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]
Where: TypeAlias = dict[str, str | float | int | tuple[str | float | int, ...]]
Metric = Literal[
    "test_accuracy",
    "test_top5_accuracy",
    "test_loss",
    "test_cmc1",
    "test_map",
    "train_loss",
    "train_accuracy_noisy",
    "train_accuracy_clean",
    "memorization",
]
assert set(Metric.__args__) <= set(METRICS)  # type: ignore[attr-defined]


STEPS = "steps"
"""The axis of a figure over epochs that counts batches."""
METRIC = "metric"
"""Stands for the metric among the fields of a figure that draws several."""


class Spec(BaseModel):
    """Base of all declarations: immutable, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Reference(Spec):
    """Published numbers to stand beside ours.

    Args:
        file: CSV file, relative to the study file.
        where: CSV column → value, or values, of which a row must have one.
        match: CSV column → field of the cells; rows meet where both values agree.
        scale: CSV column → factor from our value to the CSV's (a rate of 0.4 printed as 40: 100).
        rename: our value → the CSV's, for any matched field.
        mean, sem: CSV columns that hold the number and its error, in per cent for accuracies.
        unknown: fields of our cells, or other words, for what the published text does not say of
            its protocol, so that a difference may come from there; the report says so.
    """

    file: str
    where: dict[str, Fields] = Field(default_factory=dict)
    match: dict[str, str]
    scale: dict[str, float] = Field(default_factory=dict)
    rename: dict[str, str] = Field(default_factory=dict)
    mean: str = "mean"
    sem: str = "sem"
    unknown: Fields = ()


class TableSpec(Spec):
    """One table: mean ± SEM over seeds of one metric.

    Args:
        title: caption; empty takes the table's name.
        rows, columns: fields of the cells that span the table, outermost first.
        value: metric.
        select: `last` epoch, `best` epoch, or `mean_of_last` k epochs. `best` on a test metric
            selects on test data, and the caption says so. A diverged run has its last epoch only.
        last_k: k of `mean_of_last`.
        phase: phase whose cells are shown; None shows every phase.
        where: field → value or values that a cell must have.
        bold: `paired` = best and all not distinguishable from it by the paired t-test with Holm's
            correction; `max` = best mean only; `none`. Both compare on the seeds that all share;
            an entry with a missing, diverged or guessing run is never bold.
        bold_over: what competes: the `rows` of each column, such as the losses at each noise rate,
            or the `columns` of each row, such as the learning rates of each loss.
        alpha: family-wise level of the paired test.
        reference: published numbers.
    """

    title: str = ""
    rows: Fields = ("loss",)
    columns: Fields = ("noise.rate",)
    value: Metric = "test_accuracy"
    select: Literal["last", "best", "mean_of_last"] = "last"
    last_k: Annotated[int, Field(ge=1)] | None = None
    phase: str | None = None
    where: Where = Field(default_factory=dict)
    bold: Literal["paired", "max", "none"] = "paired"
    bold_over: Literal["rows", "columns"] = "rows"
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    reference: Reference | None = None

    @model_validator(mode="after")
    def _mean_of_last_has_k(self) -> TableSpec:
        if (self.select == "mean_of_last") != (self.last_k is not None):
            raise ValueError("last_k goes with select: mean_of_last")
        return self


class FigureSpec(Spec):
    """One figure of results: curves over epochs, values over a numeric field, or a plane of two.

    Args:
        title: heading; empty takes the figure's name.
        kind: `epochs`, `axis` or `plane`.
        value: a metric, or several, which `metric` then tells apart in `panels`, `series` or
            `dashed_by`.
        panels: fields whose values make a panel each.
        series: fields whose values make a line each, in a colour of its own; `loss` if left out.
            A plane has none.
        dashed_by: field whose first value is drawn solid, the second dashed, the third dotted.
        x: of `epochs`, `epochs` or `steps`; of the others, a numeric field of the cells.
        y: of a plane, its second numeric field.
        log: axes of `axis` and `plane` that are logarithmic.
        select, last_k: as in a table; curves show every epoch and have neither.
        phase, where: which cells are shown, as in a table.
        band: spread around a mean: standard error, standard deviation, 95 % interval of the mean
            by Student's t, or none.
        note: ends the caption; what equals a printed figure and what is not known.
        train_images: data set → training images, from which `steps` are counted; known ones are
            filled in.
    """

    title: str = ""
    kind: Literal["epochs", "axis", "plane"]
    value: Annotated[tuple[Metric, ...], BeforeValidator(_as_tuple), Field(min_length=1)] = (
        "test_accuracy",
    )
    panels: Fields = ()
    series: Fields | None = None
    dashed_by: str | None = None
    x: str | None = None
    y: str | None = None
    log: Annotated[tuple[Literal["x", "y"], ...], BeforeValidator(_as_tuple)] = ()
    select: Literal["last", "best", "mean_of_last"] = "last"
    last_k: Annotated[int, Field(ge=1)] | None = None
    phase: str | None = None
    where: Where = Field(default_factory=dict)
    band: Literal["sem", "sd", "interval", "none"] = "sem"
    note: str = ""
    train_images: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)

    @property
    def lines(self) -> Fields:
        """Fields that make a line each."""
        default = () if self.kind == "plane" else ("loss",)
        return default if self.series is None else self.series

    @property
    def axes(self) -> Fields:
        """Numeric fields that span the figure; none for curves, which run over epochs."""
        return () if self.kind == "epochs" else tuple(f for f in (self.x, self.y) if f is not None)

    @property
    def spanned(self) -> Fields:
        """Fields of the cells, without the metric, that tell panels and lines apart."""
        dashed = () if self.dashed_by is None else (self.dashed_by,)
        return tuple(f for f in (*self.panels, *self.lines, *dashed) if f != METRIC)

    @model_validator(mode="after")
    def _fits_its_kind(self) -> FigureSpec:
        if complaint := self._axis_complaint() or self._rule_complaint():
            raise ValueError(complaint)
        return self

    def _axis_complaint(self) -> str | None:
        if self.kind == "epochs" and self.x not in (None, "epochs", STEPS):
            return f"x of a figure over epochs is epochs or steps, not {self.x!r}"
        if self.kind != "epochs" and self.x is None:
            return f"kind: {self.kind} needs x, a numeric field"
        if (self.kind == "plane") != (self.y is not None):
            return "y, a numeric field, goes with kind: plane"
        if self.kind == "plane" and (self.series or self.dashed_by):
            return "a plane has panels, but neither series nor dashed_by"
        return None

    def _rule_complaint(self) -> str | None:
        if self.kind == "epochs" and self.select != "last":
            return "select goes with kind: axis or plane; curves show every epoch"
        if (self.select == "mean_of_last") != (self.last_k is not None):
            return "last_k goes with select: mean_of_last"
        told_apart = METRIC in (*self.panels, *self.lines, self.dashed_by)
        if len(self.value) > 1 and not told_apart:
            return "several values need metric in panels, series or dashed_by"
        return None
