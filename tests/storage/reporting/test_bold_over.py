"""What competes for bold, and what a comparison says is not known of the print."""

from __future__ import annotations

import pytest

from storage.reporting.caption import caption
from storage.reporting.evidence import gather
from storage.reporting.reference import compare
from storage.reporting.render.entries import comparison_section
from storage.reporting.spec import Reference, TableSpec
from storage.reporting.table import Table, build_table

MEANS = {("CE", "0"): 0.9, ("CE", "0.4"): 0.5, ("MAE", "0"): 0.4, ("MAE", "0.4"): 0.3}
"""The column "0" is the best of each row; CE is the best of each column."""


def drawn(sweep, spec: TableSpec) -> Table:
    for (loss, rate), accuracy in MEANS.items():
        sweep.run(loss, rate, [accuracy, accuracy + 0.01, accuracy + 0.03])
    return build_table("t", spec, sweep.planned, gather(sweep, sweep.planned, [spec.value]))


@pytest.mark.parametrize("rule", ["paired", "max"])
@pytest.mark.parametrize(
    ("over", "marked", "line"),
    [
        ("rows", {("CE", "0"), ("CE", "0.4")}, "column"),
        ("columns", {("CE", "0"), ("MAE", "0")}, "row"),
    ],
)
def test_the_best_of_each_column_or_of_each_row_is_bold(
    rule: str, over: str, marked: set[tuple[str, str]], line: str, sweep
) -> None:
    table = drawn(sweep, TableSpec(bold=rule, bold_over=over))
    bold = {(row[0], column[0]) for (row, column), e in table.entries.items() if e.is_bold}
    assert bold == marked
    text = " ".join(caption(table))
    assert f"best mean of each {line}" in text
    assert {"row": "column", "column": "row"}[line] not in text.partition("Bold:")[2]


def test_what_is_not_known_of_a_print_stands_under_its_comparison(sweep) -> None:
    table = drawn(sweep, TableSpec())
    published = "rate,loss,mean,sem\n0,CE,91,0.3\n"
    reference = Reference(file="t.csv", match={"loss": "loss", "rate": "noise.rate"})
    told = reference.model_copy(update={"unknown": ("epochs", "the order of the batches")})
    without, with_unknown = (
        comparison_section(compare(table, one, published)).notes for one in (reference, told)
    )
    assert not any("Not known" in note for note in without)
    assert "Not known of the published protocol: epochs, the order of the batches" in with_unknown
