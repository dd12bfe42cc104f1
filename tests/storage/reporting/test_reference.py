"""Published numbers beside ours."""

import math
from pathlib import Path

import pytest

from storage.reporting.evidence import gather
from storage.reporting.reference import PublishedTableError, compare, notes, read_published
from storage.reporting.spec import Reference, TableSpec
from storage.reporting.table import build_table

CSV = """dataset,noise_rate,loss,mean,sem,n_seeds,note
X,0,CE,91.0,0.3,5,
X,40,CE,65.0,0.4,5,as printed
X,40,MAE*,70.0,,5,
X,60,CE,40.0,0.5,5,
Y,40,CE,1.0,0.1,5,
"""
SHIPPED = Path(__file__).parents[3] / "studies" / "reference"


@pytest.fixture
def reference():
    return Reference(
        file="t.csv",
        where={"dataset": "X"},
        match={"noise_rate": "noise.rate", "loss": "loss"},
        scale={"noise_rate": 100},
    )


def draw(sweep):
    spec = TableSpec()
    return build_table("t", spec, sweep.planned, gather(sweep, sweep.planned, [spec.value]))


def test_difference_combined_sem_and_z(sweep, reference):
    sweep.run("CE", "0.4", [0.66, 0.67, 0.68])
    (pair,) = compare(draw(sweep), reference, CSV).pairs
    assert pair.difference == pytest.approx(2.0)
    combined = math.hypot(1 / math.sqrt(3), 0.4)
    assert pair.combined_sem == pytest.approx(combined)
    assert pair.z == pytest.approx(2.0 / combined)


def test_no_z_without_an_error_on_both_sides(sweep, reference):
    sweep.run("MAE*", "0.4", [0.7, 0.71])
    sweep.run("CE", "0.4", [0.66])
    comparison = compare(draw(sweep), reference, CSV)
    assert [pair.z for pair in comparison.pairs] == [None, None]
    assert [pair.difference for pair in comparison.pairs] == pytest.approx([0.5, 1.0])
    assert comparison.agreement is None


def test_a_scaled_rate_meets_its_row_despite_rounding(sweep, reference):
    sweep.run("CE", "0.29", [0.4, 0.5])  # 0.29 · 100 is not exactly 29
    published = CSV.replace("X,60,", "X,29,")
    assert compare(draw(sweep), reference, published).pairs[0].mean == 40.0


def test_both_sides_without_a_counterpart_are_listed(sweep, reference):
    sweep.run("CE", "0", [0.9, 0.91])
    sweep.run("GCE", "0", [0.9, 0.91])
    comparison = compare(draw(sweep), reference, CSV)
    assert comparison.only_ours == ((("GCE",), ("0",)),)
    assert comparison.only_published == (
        "noise_rate 40, loss CE",
        "noise_rate 40, loss MAE*",
        "noise_rate 60, loss CE",
    )


def test_a_missing_entry_keeps_its_published_number(sweep, reference):
    sweep.plan({"loss": "CE", "noise.rate": "0.4"})
    (pair,) = compare(draw(sweep), reference, CSV).pairs
    assert (pair.mean, pair.difference, pair.z) == (65.0, None, None)


def test_renamed_values_and_fields_outside_the_table(sweep, reference):
    axes = {"loss": "mae-star", "noise.rate": "0.4", "dataset": "the-x"}
    sweep.finish(sweep.plan(axes), [0.5])
    asked = reference.model_copy(
        update={
            "where": {},
            "match": {**reference.match, "dataset": "dataset"},
            "rename": {"mae-star": "MAE*", "the-x": "X"},
        }
    )
    assert compare(draw(sweep), asked, CSV).pairs[0].mean == 70.0


def test_two_published_rows_for_one_entry_are_an_error(sweep, reference):
    sweep.run("CE", "0.4", [0.5])
    with pytest.raises(PublishedTableError, match=r"2 rows of t\.csv match CE, 0\.4: .*dataset"):
        compare(draw(sweep), reference.model_copy(update={"where": {}}), CSV)


def test_columns_and_numbers_are_checked(sweep, reference):
    sweep.run("CE", "0.4", [0.5])
    with pytest.raises(PublishedTableError, match="no column error"):
        compare(draw(sweep), reference.model_copy(update={"sem": "error"}), CSV)
    with pytest.raises(PublishedTableError, match="'about 65' is not a number"):
        compare(draw(sweep), reference, CSV.replace("65.0", "about 65"))


def test_an_absent_file_is_one_line(tmp_path, reference):
    with pytest.raises(PublishedTableError, match=r"reference file t\.csv: No such file"):
        read_published(reference, tmp_path)
    (tmp_path / "t.csv").write_text(CSV)
    assert read_published(reference, tmp_path) == CSV


def test_remarks_of_the_rows_used_and_other_numbers_of_seeds_are_told(sweep, reference):
    sweep.run("CE", "0.4", [0.5, 0.6])
    pairs = compare(draw(sweep), reference, CSV).pairs
    assert notes(pairs) == ("as printed", "published over 5 seeds, ours over 2")


def test_agreement_over_all_pairs(sweep, reference):
    sweep.run("CE", "0", [0.91, 0.91])
    sweep.run("CE", "0.4", [0.90, 0.91])
    summary = compare(draw(sweep), reference, CSV).agreement
    assert summary.count == 2
    assert summary.share_within_two == 0.5


def test_a_shipped_table_is_met_by_its_losses_and_rates(sweep):
    for loss in ("CE", "MAE"):
        for rate in ("0", "0.4"):
            sweep.run(loss, rate, [0.5, 0.6])
    reference = Reference(
        file="staats2025_table5.csv",
        where={"dataset": "CIFAR-10"},
        match={"noise_rate": "noise.rate", "loss": "loss"},
        scale={"noise_rate": 100},
    )
    comparison = compare(draw(sweep), reference, read_published(reference, SHIPPED))
    published = {(pair.row, pair.column): pair.mean for pair in comparison.pairs}
    assert published[("CE",), ("0",)] == 55.70
    assert published[("CE",), ("0.4",)] == 36.90
    assert comparison.only_ours == ()
