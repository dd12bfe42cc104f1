"""What a study asks of its report: tables and the selection rules behind their numbers.

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
    where: dict[str, str | float | int | tuple[str | float | int, ...]] = Field(
        default_factory=dict
    )
    bold: Literal["paired", "max", "none"] = "paired"
    bold_over: Literal["rows", "columns"] = "rows"
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    reference: Reference | None = None

    @model_validator(mode="after")
    def _mean_of_last_has_k(self) -> TableSpec:
        if (self.select == "mean_of_last") != (self.last_k is not None):
            raise ValueError("last_k goes with select: mean_of_last")
        return self
