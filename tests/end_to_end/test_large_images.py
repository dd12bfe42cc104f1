"""The studies of data too large to ship, from launch to table on tiny data in the same layouts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.trainables.datasets.layouts import write_clothing1m, write_mars, write_webvision

pytestmark = pytest.mark.slow

STUDIES = Path(__file__).parents[2] / "studies"
TINY = ("cell.architecture={name: mlp, hidden: [8]}", "cell.batch_size=6", "cell.epochs=2")
SEED = ("seeds=1", "cell.precision=fp32", "resources.cpus_per_trial=1")


@pytest.mark.parametrize(
    ("study", "write", "changes", "metrics", "expected"),
    [
        (
            "imae_table3",
            write_mars,
            ("cell.dataset={name: mars, identities: 3}", "cell.learning_rate=1e-4"),
            "test_cmc1, test_map",
            # Grey levels tell the persons apart, so any network that passes them on finds all.
            {"num_cells": 4, "num_broken": 0, "lowest": 1.0, "headings": ["CMC-1", "Mean average"]},
        ),
        pytest.param(
            "table3",
            write_webvision,
            (),
            "test_accuracy, test_top5_accuracy",
            {"num_cells": 11, "num_broken": 1, "lowest": 0.0, "headings": ["Top-1", "Top-5"]},
            marks=pytest.mark.extensive,
        ),
        pytest.param(
            "clothing1m",
            write_clothing1m,
            (),
            "test_accuracy",
            {"num_cells": 6, "num_broken": 1, "lowest": 0.0, "headings": ["Top-1"]},
            marks=pytest.mark.extensive,
        ),
    ],
)
def test_a_study_of_files_runs_to_its_table(
    orchestrator, tmp_path: Path, study: str, write, changes, metrics: str, expected
) -> None:
    write(tmp_path)
    path = STUDIES / f"{study}.yaml"
    ended = orchestrator("launch", path, *TINY, *SEED, *changes, "--data-root", tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for heading in expected["headings"]:
        assert heading in ended.stdout
    answer = orchestrator("sql", f"select num_broken_images, {metrics} from cells", "--json")
    rows = json.loads(answer.stdout)
    assert len(rows) == expected["num_cells"]
    for row in rows:
        assert row.pop("num_broken_images") == expected["num_broken"]
        assert all(expected["lowest"] <= value <= 1 for value in row.values())
