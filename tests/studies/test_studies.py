"""Every study of the project: reads, plans without data, meets its published table, and runs.

The smoke runs train one cell of each loss × noise kind, on a small network, and one of each
architecture that any study asks for, on tiny synthetic data, without Ray.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.plan.expectations import Expectations
from orchestrator.plan.open import OpenedStudy, open_study
from orchestrator.plan.provenance import CodeVersion
from orchestrator.plan.records import study_record
from orchestrator.study.cell import StudyCell
from storage.landing import land_study
from storage.reporting.report import Report, build_report
from storage.standing.judgement import Known
from storage.store import Store
from trainables.config import Choice, TrainingConfig
from trainables.training.train import train

STUDIES = Path(__file__).parents[2] / "studies"
FILES = [path for path in sorted(STUDIES.rglob("*.yaml")) if path.parent.name != "protocols"]
NAMES = [str(path.relative_to(STUDIES)) for path in FILES]
LARGE = {"wide_resnet101_2", "googlenet_bn", "resnet50"}
"""Networks for large images; their own tests run them."""


@functools.cache
def opened(path: Path) -> tuple[OpenedStudy, tuple[StudyCell, ...]]:
    study = open_study(path)
    return study, study.expand({})


@pytest.fixture(params=FILES, ids=NAMES)
def study_file(request: pytest.FixtureRequest) -> Path:
    return request.param


def report_before_any_run(path: Path, root: Path) -> Report:
    study, cells = opened(path)
    planned = Expectations(path.parent, frozenset()).planned(study.study.name, cells, Known())
    land_study(root, study_record(study, planned, "launch", CodeVersion("0", is_dirty=False)))
    return build_report(Store(root), study.study.name, path.parent)


def test_a_study_plans_without_its_data(study_file: Path) -> None:
    study, cells = opened(study_file)
    assert cells
    assert study.study.title
    assert study.study.tables
    assert all(entry.cell or entry.pending or entry.skipped for entry in cells)


def test_a_study_says_what_it_is_and_how_to_run_it(study_file: Path) -> None:
    text = study_file.read_text()
    name = study_file.relative_to(STUDIES.parent)
    assert f"# Command    python -m orchestrator launch {name}" in text
    for word in ("Source", "Time"):
        assert re.search(rf"^# {word}\s", text, re.MULTILINE), f"no line '# {word}'"
    assert (
        open_study(study_file).study.name == study_file.stem or study_file.parent.name == "settle"
    )


def test_the_cells_that_a_study_promises(study_file: Path) -> None:
    """The number of cells in its header is that of its first phase, each run counted once."""
    _, cells = opened(study_file)
    promised = re.search(r"^# Time\s+([\d,]+) (?:cells|runs)", study_file.read_text(), re.MULTILINE)
    if promised:
        keys = {entry.cell.key for entry in cells if entry.cell}
        assert int(promised[1].replace(",", "")) == len(keys)


def test_published_tables_are_met_whole(study_file: Path, tmp_path: Path) -> None:
    """Every published number of a table has its cell, unless a study runs a part on purpose."""
    report = report_before_any_run(study_file, tmp_path)
    declared = [table for table in opened(study_file)[0].study.tables.values() if table.reference]
    assert len(report.comparisons) == len(declared)
    for comparison in report.comparisons:
        assert comparison.pairs
        if study_file.parent.name != "settle" and study_file.stem != "table5_check":
            assert not comparison.only_published


def test_tables_5_and_6_share_the_search() -> None:
    searched = {c.cell.key for c in opened(STUDIES / "table6.yaml")[1] if c.cell}
    wanted = {c.cell.key for c in opened(STUDIES / "table5.yaml")[1] if c.cell}
    assert searched < wanted


def test_the_logit_bias_follows_the_class_count() -> None:
    biases = {
        (c.axes["dataset"], c.cell.config.loss.get("logit_bias"))
        for c in opened(STUDIES / "table2.yaml")[1]
        if c.axes["loss"] == "MAE*" and c.cell
    }
    assert biases == {("fashion-mnist", 0.5), ("cifar10", 0.5), ("cifar100", 3.0)}


SMALL = Choice.of("mlp", hidden=(16,))
"""Trains any loss under any noise in a moment; what a network needs is tried once for each."""


def smoke_configs() -> Mapping[str, TrainingConfig]:
    """Each architecture that a study asks for, and each loss × noise kind on a small network."""
    found: dict[str, TrainingConfig] = {}
    for path in FILES:
        for entry in open_study(path, smoke=True).expand({}):
            if entry.cell:
                config = entry.cell.config
                small = replace(config, architecture=SMALL)
                found.setdefault(f"{config.loss.name} under {config.noise.name}", small)
                if config.architecture.name not in LARGE:
                    found.setdefault(config.architecture.name, config)
    return found


SMOKE = smoke_configs()


@pytest.mark.slow
@pytest.mark.parametrize("kind", SMOKE)
def test_a_smoke_cell_trains(kind: str, tmp_path: Path) -> None:
    result = train(SMOKE[kind], data_root=tmp_path)
    assert len(result.epochs) == SMOKE[kind].epochs
    assert result.diverged_epoch is None


def test_smoke_covers_losses_and_kinds_of_noise() -> None:
    networks = {config.architecture.name for config in SMOKE.values()}
    assert networks >= {"mlp1024", "cnn8", "resnet18", "resnet32", "resnet34", "resnet56"}
    losses = {config.loss.name for config in SMOKE.values()}
    assert losses >= {"ce", "mae", "gce", "tgce", "sce", "bitempered", "agce", "imae"}
    assert losses >= {"nfl_mae", "nce_mae", "nce_agce", "nce_rce", "anl_ce", "jal_ce"}
    assert {config.noise.name for config in SMOKE.values()} >= {
        "none",
        "symmetric",
        "asymmetric",
        "human",
    }
