"""The whole report as a value."""

import pytest

from storage.reporting.evidence import Status
from storage.reporting.render import RENDERERS
from storage.reporting.report import StudyNotFoundError, build_report
from storage.reporting.spec import Reference, TableSpec


def test_an_unknown_study_is_named_with_those_there(sweep, tmp_path):
    with pytest.raises(StudyNotFoundError, match="no study 'other': it has sweep"):
        build_report(sweep, "other", tmp_path)


def test_a_table_that_cannot_be_drawn_leaves_the_others_alone(sweep, tmp_path):
    sweep.tables = {"bad": TableSpec(where={"loss": "XX"}), "good": TableSpec()}
    sweep.run("CE", "0", [0.5])
    report = build_report(sweep, "sweep", tmp_path)
    assert [table.name for table in report.tables] == ["good"]
    assert [problem.table for problem in report.problems] == ["bad"]


def test_published_numbers_that_are_not_there_leave_the_table_alone(sweep, tmp_path):
    reference = Reference(file="gone.csv", match={"loss": "loss"})
    sweep.tables = {"accuracy": TableSpec(reference=reference)}
    sweep.run("CE", "0", [0.5])
    report = build_report(sweep, "sweep", tmp_path)
    assert len(report.tables) == 1
    assert report.comparisons == ()
    assert "gone.csv" in report.problems[0].message


def test_published_numbers_are_found_beside_the_study_file(sweep, tmp_path):
    (tmp_path / "t.csv").write_text("loss,mean,sem\nCE,49,0.5\n")
    reference = Reference(file="t.csv", match={"loss": "loss"})
    sweep.tables = {"accuracy": TableSpec(reference=reference)}
    sweep.run("CE", "0", [0.5, 0.5])
    report = build_report(sweep, "sweep", tmp_path)
    assert report.comparisons[0].pairs[0].z == pytest.approx(2.0)


def test_failures_are_grouped_by_reason_the_most_frequent_first(sweep, tmp_path):
    keys = [sweep.plan({"loss": "CE", "noise.rate": "0"}, seed) for seed in range(3)]
    sweep.fail(keys[0], "exception", "once")
    sweep.fail(keys[1], "out_of_memory", "twice")
    sweep.fail(keys[2], "out_of_memory", "twice")
    sweep.fail("a cell of another study", "exception", "elsewhere")
    report = build_report(sweep, "sweep", tmp_path)
    assert [(f.error_class, f.num_cells) for f in report.failures] == [
        ("out_of_memory", 2),
        ("exception", 1),
    ]
    assert report.failures[0].example == "loss=CE, noise.rate=0, seed=1"


def test_the_tally_accounts_for_every_planned_cell(sweep, tmp_path):
    sweep.run("CE", "0", [0.5, 0.6])
    sweep.plan({"loss": "CE", "noise.rate": "0"}, 2)
    sweep.plan({"loss": "CE", "noise.rate": "0.6"}, 0, skipped="why")
    sweep.plan({"loss": "CE", "noise.rate": "0"}, phase="later", key=None)
    first, later = build_report(sweep, "sweep", tmp_path).tallies
    assert (first.phase, first.num_planned) == ("main", 3)
    counted = {status: count for status, count in first.counts.items() if count}
    assert counted == {Status.FINISHED: 2, Status.MISSING: 1, Status.SKIPPED: 1}
    assert later.counts[Status.PENDING] == 1


def test_no_path_of_a_machine_is_in_the_provenance(sweep, tmp_path):
    report = build_report(sweep, "sweep", tmp_path)
    assert report.provenance.source == "sweep.yaml"
    assert "private" not in repr(report)


def test_damaged_files_are_named(sweep, tmp_path):
    sweep.damage("b.parquet", "digest differs")
    report = build_report(sweep, "sweep", tmp_path)
    assert report.damaged == ("b.parquet: digest differs",)
    assert "damaged file, not served: b.parquet" in RENDERERS["markdown"](report)
