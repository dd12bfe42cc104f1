"""Configurations of rows from elsewhere: what no run can have is refused, what is older is not."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.inspection.foreign import config_problem
from orchestrator.study.cell import make_cell
from storage import Store
from storage.landing import land_attempt
from tests.storage.conftest import attempt_of
from trainables import components
from trainables.components import build_config

FIXTURES = sorted((Path(__file__).parents[2] / "storage" / "fixtures").glob("version_*"))
CELL = make_cell(
    build_config(
        {
            "dataset": "fashion-mnist",
            "architecture": {"name": "mlp", "hidden": [8]},
            "loss": "gce",
            "learning_rate": 0.1,
            "epochs": 3,
            "augmentation": ["flip"],
            "noise": {"kind": "symmetric", "rate": 0.4},
        }
    ),
    components,
)
CONFIG, REVISIONS = CELL.config.to_dict(), dict(CELL.revisions)


def test_a_configuration_of_today_may_stand() -> None:
    assert config_problem(CONFIG, REVISIONS) is None


def test_fields_that_did_not_exist_may_be_absent() -> None:
    assert config_problem({"seed": 0}, {}) is None


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"colour": "red"}, "config has the field 'colour', which no run of this version has"),
        (
            {"loss": {"name": "gce", "sharpness": 2}},
            "config says sharpness of loss gce, which has no such parameter",
        ),
        (
            {"augmentation": [{"name": "flip", "often": True}]},
            "config says often of augmentation flip, which has no such parameter",
        ),
        ({"loss": "gce"}, "config does not say what its loss is"),
    ],
)
def test_what_no_run_has_is_told(changes: dict[str, object], problem: str) -> None:
    assert config_problem({**CONFIG, **changes}, REVISIONS) == problem


def test_other_revisions_and_plug_ins_are_not_judged() -> None:
    old = {**CONFIG, "loss": {"name": "gce", "sharpness": 2}}
    assert config_problem(old, {**REVISIONS, "loss": 7}) is None
    assert config_problem({**CONFIG, "loss": {"name": "not.here", "p": 1}}, REVISIONS) is None


def test_a_row_with_a_field_of_its_own_and_a_key_made_to_fit_is_not_merged(
    tmp_path: Path,
) -> None:
    for colour in (None, "red"):
        more = {"colour": colour} if colour else {}
        identity = json.dumps(
            {**json.loads(CELL.identity), **more}, sort_keys=True, separators=(",", ":")
        )
        config = {**CONFIG, **more}
        loss = {name: value for name, value in config["loss"].items() if name != "name"}
        row = attempt_of(
            0,
            run=len(more),
            key=hashlib.sha256(identity.encode()).hexdigest(),
            identity=identity,
            config=json.dumps(config),
            revisions=json.dumps(REVISIONS),
            loss="gce",
            loss_parameters=json.dumps(loss),
            noise_rate=0.4,
        )
        land_attempt(tmp_path / "theirs", row)
    where = ["--store", str(tmp_path / "ours")]
    found = CliRunner().invoke(app, ["merge", str(tmp_path / "theirs"), *where])
    assert found.exit_code == 4, found.output
    assert "config has the field 'colour'" in found.output
    rows = Store(tmp_path / "ours").rows("select attempt from cells")
    assert rows == [(attempt_of(0).attempt,)]


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: path.name)
def test_stores_of_every_version_are_merged(fixture: Path, tmp_path: Path) -> None:
    found = CliRunner().invoke(app, ["merge", str(fixture), "--store", str(tmp_path / "ours")])
    assert found.exit_code == 0, found.output
    assert Store(tmp_path / "ours").rows("select count(*) from cells") == [(3,)]
