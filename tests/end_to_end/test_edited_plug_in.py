"""The story of a loss of one's own: launched, edited, launched again, edited back."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.orchestrator.bench import needs_editions

pytestmark = pytest.mark.slow

LOSS = """
from dataclasses import dataclass

import torch

from trainables.losses import LOSSES


@LOSSES.register("mine")
@dataclass(frozen=True)
class Mine:
    p: float = 2.0

    def __call__(self, logits, labels):
        chosen = torch.log_softmax(logits, 1).gather(1, labels[:, None])[:, 0]
        return -self.p * chosen
"""
STUDY = """
study: mine
cell:
  dataset: {name: synthetic, like: mnist, images: 64}
  architecture: {name: mlp, hidden: [4]}
  learning_rate: 0.1
  batch_size: 32
  epochs: 2
losses: {mine: my_loss}
grid: {loss: all}
seeds: 4
resources: {max_concurrent: 1, stack: 1}
tables: {accuracy: {rows: [loss], columns: [learning_rate]}}
"""


@needs_editions
def test_results_follow_the_code(orchestrator, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "study.yaml").write_text(STUDY)

    def run(*arguments: str, code: int = 0) -> str:
        done = orchestrator(*arguments, cwd=folder)
        assert done.returncode == code, done.stdout + done.stderr
        return str(done.stdout)

    def write(text: str) -> None:
        for cached in (folder / "__pycache__").glob("*"):
            cached.unlink()
        (folder / "my_loss.py").write_text(text)

    def figures() -> list[dict[str, object]]:
        query = "select seed, standing, edition, test_loss from runs order by seed"
        return list(json.loads(run("sql", query, "--json")))

    def table() -> str:
        return run("report", "study.yaml", "--format", "csv")

    write(LOSS)
    run("launch", "study.yaml")
    first, drawn = figures(), table()
    write(LOSS.replace("-self.p * chosen", "0 * chosen"))
    planned = run("plan", "study.yaml")
    assert "4 stale: the code of loss my_loss has changed" in planned
    assert "a launch runs 4 cells" in planned
    assert "4 stale" in run("status", "study.yaml")
    run("launch", "study.yaml")
    second = figures()
    assert [row["edition"] for row in second] == [1] * 4
    assert {row["test_loss"] for row in first}.isdisjoint(row["test_loss"] for row in second)
    assert table() != drawn

    write(LOSS)
    assert "4 done" in run("plan", "study.yaml")
    assert table() == drawn

    write(LOSS.replace("chosen", "picked"))
    assert "4 stale" in run("plan", "study.yaml")
    keys = re.findall(r"[0-9a-f]{64}", run("sql", "select min(key) from runs", "--csv"))
    replayed = run("replay", f"{keys[0]}.0", "--epochs", "1")
    assert "every number is equal to the bit" in replayed
    assert "the code of loss my_loss as it is here stands" in replayed
    assert "4 done" in run("plan", "study.yaml")
    assert table() == drawn
