"""A tiny study and the real command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

STUDY = """
study: tiny
title: Tiny
cell:
  dataset: {name: synthetic, like: fashion-mnist, images: 256}
  architecture: {name: mlp, hidden: [16]}
  learning_rate: 0.05
  batch_size: 32
  epochs: 3
losses:
  CE: ce
  MAE*: {name: mae, logit_bias: 0.5}
resources: {max_concurrent: 1}  # a worker more would take longer to start than to help
seeds: 2
grid:
  loss: all
  noise.kind: symmetric
  noise.rate: [0, 0.4]
tables:
  accuracy: {rows: loss, columns: noise.rate}
"""

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(STUDY)
    return path


@pytest.fixture
def orchestrator(tmp_path: Path) -> Command:
    """Runs `python -m orchestrator …` with a store in the test's folder."""

    def run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "ORCHESTRATOR_STORE": str(tmp_path / "store")}
        return subprocess.run(
            [sys.executable, "-m", "orchestrator", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=240,
            env=environment,
            cwd=cwd,
        )

    return run
