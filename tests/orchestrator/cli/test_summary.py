"""What is said after a launch: every command that is named does what its line promises."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.cli.output import ReportFormat, show_report
from orchestrator.cli.summary import Typed, launch_lines
from orchestrator.inspection.asked import asked_study
from orchestrator.plan.expectations import Expectations
from orchestrator.plan.open import open_study, plan_study
from orchestrator.sweep.launch import LaunchReport
from storage import Store
from tests.orchestrator.bench import STUDY, Bench

TABLE = "tables:\n  all: {rows: loss, columns: dataset, value: test_accuracy, select: last}\n"
MIXED = STUDY + "  loss: ce\nseeds: 1\ngrid: {learning_rate: [0.1, 0.2]}\n" + TABLE


def test_named_commands_repeat_the_overrides_of_the_launch(bench: Bench) -> None:
    study = bench.write(STUDY + "  loss: ce\nseeds: 2\n")
    plan = bench.plan(study)
    overrides = ("seeds=1", "grid.learning_rate=[0.1]")
    ended = LaunchReport(plan, 2, None, is_budget_spent=False)
    text = "\n".join(launch_lines(ended, Typed(Path("tiny.yaml"), overrides, Path("other")), ()))
    lists = "'grid.learning_rate=[0.1]'"
    assert f"report tiny.yaml seeds=1 {lists} --store other --format latex" in text
    assert f"launch tiny.yaml {lists} --store other seeds=5" in text
    assert "2 cells new; see: orchestrator status tiny --store other" in text
    plain = "\n".join(launch_lines(ended, Typed(Path("tiny.yaml")), ()))
    assert "report tiny.yaml --format latex" in plain
    assert "launch tiny.yaml seeds=5" in plain


def test_a_table_that_csv_lacks_is_told_beside_it(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    study = bench.write(MIXED)
    bench.launch(study)
    store = Store(bench.store)
    show_report(asked_study(str(study), (), store, bench.folder), store, ReportFormat.CSV)
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 1  # the heading
    assert shown.err.startswith("not drawn: all: ")
    assert "learning_rate (0.1, 0.2)" in shown.err


def test_commands_after_a_smoke_run_are_those_of_the_smoke_run(bench: Bench) -> None:
    study = bench.write(MIXED)
    opened = open_study(study, smoke=True)
    planned = plan_study(opened, Store(bench.store), Expectations(bench.folder, frozenset()))
    ended = LaunchReport(planned.plan, 2, None, is_budget_spent=False)
    typed = Typed(Path("tiny.yaml"), ("cell.epochs=2",), data_root=Path("my data"), is_smoke=True)
    lines = list(launch_lines(ended, typed, ()))
    at = "--data-root 'my data'"
    assert f"2 cells new; see: orchestrator status tiny-smoke {at}" in lines
    shown = f"report tiny.yaml cell.epochs=2 {at} --smoke --format latex"
    assert f"next     orchestrator {shown}" in lines
    assert f"         orchestrator launch tiny.yaml cell.epochs=2 {at}" in lines
    assert any("from runs where study = 'tiny-smoke'" in line for line in lines)


def test_the_suggested_report_of_a_smoke_run_shows_its_results(bench: Bench) -> None:
    study = bench.write(STUDY + "  loss: ce\nseeds: 2\n" + TABLE)
    replace(bench, is_smoke=True).launch(study)
    words = ["report", str(study), "--smoke", "--store", str(bench.store), "--format", "csv"]
    shown = CliRunner().invoke(app, words)
    assert shown.exit_code == 0, shown.output
    heading, row = (line.split(",") for line in shown.output.splitlines())
    assert dict(zip(heading, row, strict=True))["n"] == "1"
