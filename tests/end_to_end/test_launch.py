"""The promises of `launch`, tried as a user would: words and exit codes of the command line."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def cells(orchestrator, columns: str = "key, test_accuracy") -> list[dict]:
    answer = orchestrator("sql", f"select {columns} from cells order by key", "--json")
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def test_a_study_runs_grows_and_rests(orchestrator, study: Path, tmp_path: Path) -> None:
    planned = orchestrator("plan", study)
    assert planned.returncode == 0
    assert "8 new" in planned.stdout

    first = orchestrator("launch", study)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "MAE*" in first.stdout
    assert "noise.rate 0.4" in first.stdout
    before = cells(orchestrator)
    assert len(before) == 8
    assert (tmp_path / "store/reports/tiny.html").stat().st_size > 1_000_000

    again = orchestrator("launch", study)
    assert again.returncode == 0
    assert "nothing to run" in again.stdout

    grown = orchestrator("launch", study, "seeds=3")
    assert grown.returncode == 0
    after = {row["key"]: row["test_accuracy"] for row in cells(orchestrator)}
    assert len(after) == 12
    assert all(after[row["key"]] == row["test_accuracy"] for row in before)
    tries = orchestrator("sql", "select count(*) from attempts", "--csv")
    assert tries.stdout.split() == ["count_star()", "12"]


def test_a_cell_is_the_same_alone_and_after_others(orchestrator, study: Path, tmp_path) -> None:
    """Workers are reused, so any state that leaked from cell to cell would show here."""
    orchestrator("launch", study, "resources.max_concurrent=1")
    figures = "key, test_accuracy, test_loss, train_loss, memorization"
    together = {row["key"]: row for row in cells(orchestrator, figures)}
    alone = orchestrator(
        "launch",
        study,
        "seeds=[1]",
        "grid.loss=[MAE*]",
        "grid.noise.rate=[0.4]",
        "--store",
        tmp_path / "alone",
    )
    assert alone.returncode == 0, alone.stdout + alone.stderr
    (row,) = json.loads(
        orchestrator(
            "sql",
            f"select {figures} from cells",
            "--json",
            "--store",
            tmp_path / "alone",
        ).stdout
    )
    assert together[row["key"]] == row


def test_a_diverged_run_is_a_result(orchestrator, study: Path) -> None:
    ended = orchestrator(
        "launch",
        study,
        "seeds=1",
        "grid.loss=[CE]",
        "grid.noise.rate=[0]",
        "cell.learning_rate=1e30",
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "10.00" in ended.stdout
    (row,) = cells(orchestrator, "outcome, diverged_epoch, test_accuracy")
    assert row == {"outcome": "diverged", "diverged_epoch": 1, "test_accuracy": 0.1}


def test_phases_pick_and_share_cells(orchestrator, study: Path) -> None:
    """The picked rate reaches the second phase, whose clean column is the search's own cells."""
    text = study.read_text()
    head, _, _ = text.partition("grid:")
    study.write_text(
        head.replace("  learning_rate: 0.05\n", "")
        + """
phases:
  search:
    grid: {loss: all, learning_rate: [0.0001, 0.05]}
    pick: {rate: {field: learning_rate, by: [loss]}}
  main:
    cell: {learning_rate: {pick: search.rate}}
    grid: {loss: all, noise.kind: symmetric, noise.rate: [0, 0.4]}
tables:
  accuracy: {rows: loss, columns: noise.rate, phase: main}
"""
    )
    assert "8 pending" in orchestrator("plan", study).stdout
    ended = orchestrator("launch", study)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    picks = orchestrator("sql", "select value, at_edge from picks", "--csv").stdout.splitlines()
    assert picks[1:] == ["0.05,True", "0.05,True"]
    assert len(cells(orchestrator)) == 12  # 8 searched, 4 noisy; the clean ones are shared


@pytest.mark.extensive
def test_smoke_form_of_the_quickstart(orchestrator) -> None:
    root = Path(__file__).parents[2]
    ended = orchestrator("launch", root / "studies/quickstart.yaml", "--smoke")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert len(cells(orchestrator)) == 12


def test_stacks_land_ordinary_cells(orchestrator, study: Path) -> None:
    stacked = orchestrator("launch", study, "resources.stack=4")
    assert stacked.returncode == 0, stacked.stdout + stacked.stderr
    found = {row["key"]: row["test_accuracy"] for row in cells(orchestrator)}
    again = orchestrator("launch", study)
    assert "nothing to run" in again.stdout
    alone = orchestrator("launch", study, "--store", study.parent / "alone")
    assert alone.returncode == 0
    rows = orchestrator(
        "sql", "select key, test_accuracy from cells", "--json", "--store", study.parent / "alone"
    )
    for row in json.loads(rows.stdout):
        assert found[row["key"]] == pytest.approx(row["test_accuracy"], abs=0.02)


def test_a_broken_plug_in_is_stopped_early_and_fails_no_others(orchestrator, study: Path) -> None:
    (study.parent / "broken_loss.py").write_text(
        "from trainables.losses import LOSSES\n"
        '@LOSSES.register("broken")\n'
        "def broken(logits, labels):\n"
        '    raise RuntimeError("this loss is broken")\n'
    )
    study.write_text(study.read_text().replace("CE: ce", "CE: ce\n  mine: broken_loss"))
    ended = orchestrator("launch", study, "seeds=6", "resources.max_concurrent=1", cwd=study.parent)
    assert ended.returncode == 3, ended.stdout + ended.stderr
    assert ended.stdout.count("RuntimeError: this loss is broken") == 1
    assert "cells of loss broken_loss all fail alike" in ended.stdout
    assert "9 cells of loss broken_loss were not started" in ended.stdout
    assert "this loss is broken" in orchestrator("status", "tiny").stdout
    assert len(cells(orchestrator)) == 24
    why = orchestrator("sql", "select distinct error_class, error_type from failures", "--csv")
    assert why.stdout.splitlines()[1:] == ["exception,RuntimeError"]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("resources.stack=4", "resnet20 cannot be stacked"),
        ("cell.batch_size=512", "a batch of 512 is larger than the 256 training images"),
        ("resources.stack=some", "resources.stack"),
    ],
)
def test_what_cannot_be_is_said_by_the_plan(orchestrator, study: Path, override, words) -> None:
    text = study.read_text().replace("{name: mlp, hidden: [16]}", "resnet20")
    study.write_text(text)
    planned = orchestrator("plan", study, override)
    assert planned.returncode == 2
    assert words in planned.stderr
    assert len(planned.stderr.strip().splitlines()) == 1


def test_tf32_without_a_gpu_is_said_before_any_cell_runs(orchestrator, study: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    ended = orchestrator("launch", study, "cell.precision=tf32")
    assert ended.returncode == 2
    assert "tf32 needs a GPU" in ended.stderr
    assert cells(orchestrator) == []


def test_two_launches_of_a_study(orchestrator, study: Path, tmp_path: Path) -> None:
    """The second is told who is at it; one that joins shares the work and doubles nothing."""
    first = start("launch", study, "seeds=4", "cell.epochs=60", store=tmp_path / "store")
    try:
        wait_for((tmp_path / "store/.leases/tiny.json").exists)
        refused = orchestrator("launch", study, "seeds=4", "cell.epochs=60")
        assert refused.returncode == 75, refused.stdout + refused.stderr
        assert f"process {first.pid} on " in refused.stderr
        joined = orchestrator("launch", study, "seeds=4", "cell.epochs=60", "--join")
        assert joined.returncode == 0, joined.stdout + joined.stderr
        assert first.wait(timeout=120) == 0
    finally:
        first.kill()
        first.wait()
    assert len(cells(orchestrator)) == 16
    tries = orchestrator("sql", "select count(*) from attempts", "--csv")
    assert tries.stdout.split()[1] == "16"


def test_a_store_at_an_address_is_refused(orchestrator, study: Path) -> None:
    ended = orchestrator("launch", study, "--store", "s3://bucket/store")
    assert ended.returncode == 2
    assert "a store is a folder" in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
    assert not Path("s3:").exists()


def start(*arguments: str | Path, store: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "orchestrator", *map(str, arguments), "--store", str(store)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.1)
