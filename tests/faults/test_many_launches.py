"""Many launches of one study in the same moment: one runs it, the others say who does."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from orchestrator.cli.app import BUSY, DONE
from storage import Store

STUDY = """
study: crowd
cell:
  dataset: {name: synthetic, like: fashion-mnist, images: 100}
  architecture: {name: mlp, hidden: [8]}
  learning_rate: 0.05
  batch_size: 50
  epochs: 1
losses: {CE: ce, MAE: mae}
grid: {loss: all}
"""


@pytest.mark.slow
@pytest.mark.extensive
def test_one_of_many_launches_runs(tmp_path: Path) -> None:
    study, store = tmp_path / "crowd.yaml", tmp_path / "store"
    study.write_text(STUDY)
    command = [*(sys.executable, "-m", "orchestrator", "launch"), str(study), "--store", str(store)]
    launches = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(6)
    ]
    outputs = [launch.communicate(timeout=240)[0] for launch in launches]
    codes = Counter(launch.returncode for launch in launches)
    assert codes[DONE] >= 1, outputs
    assert codes[DONE] + codes[BUSY] == 6, outputs
    assert all(
        "is being launched by process" in outputs[i]
        for i in range(6)
        if launches[i].returncode == BUSY
    )
    assert Store(store).rows("select count(*), count(distinct key) from attempts") == [(2, 2)]
