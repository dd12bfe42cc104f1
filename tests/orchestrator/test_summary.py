"""What is said after a launch: every command that is named does what its line promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cli.output import ReportFormat, show_report
from orchestrator.inspection.asked import asked_study
from orchestrator.launch import LaunchReport
from orchestrator.summary import launch_lines
from storage import Store
from tests.orchestrator.bench import STUDY, Bench

TABLE = "tables:\n  all: {rows: loss, columns: dataset, value: test_accuracy, select: last}\n"
MIXED = STUDY + "  loss: ce\nseeds: 1\ngrid: {learning_rate: [0.1, 0.2]}\n" + TABLE


def test_named_commands_repeat_the_overrides_of_the_launch(bench: Bench) -> None:
    study = bench.write(STUDY + "  loss: ce\nseeds: 2\n")
    plan = bench.plan(study)
    overrides = ("seeds=1", "grid.learning_rate=[0.1]")
    ended = LaunchReport(plan, 2, None, is_budget_spent=False)
    text = "\n".join(launch_lines(ended, Path("tiny.yaml"), Path("other"), (), overrides))
    lists = "'grid.learning_rate=[0.1]'"
    assert f"report tiny.yaml seeds=1 {lists} --store other --format latex" in text
    assert f"launch tiny.yaml {lists} --store other seeds=5" in text
    assert "2 cells new; see: orchestrator status tiny --store other" in text
    plain = "\n".join(launch_lines(ended, Path("tiny.yaml"), Path("results"), ()))
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
