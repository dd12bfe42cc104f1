"""What makes two cells the same."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.study.cell import key_of, make_cell
from trainables import components
from trainables.components import build_config
from trainables.losses import LOSSES

FIELDS = {
    "dataset": "fashion-mnist-small",
    "architecture": {"name": "mlp", "hidden": [8]},
    "loss": {"name": "gce"},
    "learning_rate": 0.1,
    "epochs": 2,
}


def key(**changes: object) -> str:
    return make_cell(build_config({**FIELDS, **changes}), components).key


def test_defaults_written_out_change_nothing() -> None:
    assert key() == key(loss={"name": "gce", "q": 0.7, "logit_bias": 0}, batch_size=128)
    assert key() == key(noise={"kind": "symmetric", "rate": 0}, learning_rate=1e-1, epochs=2.0)


@pytest.mark.parametrize(
    "change",
    [
        {"loss": {"name": "gce", "q": 0.6}},
        {"loss": {"name": "gce", "logit_bias": 0.5}},
        {"loss": "ce"},
        {"noise": {"kind": "symmetric", "rate": 0.1}},
        {"seed": 1},
        {"precision": "bf16"},
        {"optimizer": {"name": "sgd", "momentum": 0.8}},
        {"augmentation": ["flip"]},
        {"dataset": {"name": "fashion-mnist-small", "train_size": 1000}},
        {"noise_seed": 0},
    ],
)
def test_whatever_moves_the_number_moves_the_key(change: dict[str, object]) -> None:
    assert key(**change) != key()


def test_a_golden_key() -> None:
    """Guards every store in the world: change it only with a migration."""
    assert key() == GOLDEN


GOLDEN = "eb8f799f6eb7c626f51dbd7e6226ab2c533c28f2523d16bf244278d7c1b655f5"


def test_a_revision_moves_the_key_and_not_the_base(monkeypatch: pytest.MonkeyPatch) -> None:
    before = make_cell(build_config(FIELDS), components)
    moved = replace(LOSSES.component("gce"), revision=2)
    monkeypatch.setitem(LOSSES._components, "gce", moved)
    after = make_cell(build_config(FIELDS), components)
    assert after.key != before.key
    assert after.base_key == before.base_key == before.key
    assert after.revisions["loss"] == 2
    monkeypatch.setitem(FIELDS, "loss", "ce")
    assert make_cell(build_config(FIELDS), components).revisions["loss"] == 1


@settings(max_examples=50, deadline=None)
@given(order=st.permutations(list(FIELDS)))
def test_the_order_of_fields_is_irrelevant(order: list[str]) -> None:
    shuffled = {name: FIELDS[name] for name in order}
    assert make_cell(build_config(shuffled), components).key == key()


def stored(**changes: object) -> tuple[dict[str, Any], dict[str, int], str]:
    """Configuration and revisions as a row carries them, and the row's key."""
    cell = make_cell(build_config({**FIELDS, **changes}), components)
    return json.loads(json.dumps(cell.config.to_dict())), dict(cell.revisions), cell.key


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"loss": {"name": "gce", "q": 0.5}, "noise": {"kind": "symmetric", "rate": 0.4}},
        {"augmentation": ["flip"], "optimizer": {"name": "sgd", "momentum": 0.5}},
        {"batch_size": 64, "schedule": "constant", "precision": "bf16", "noise_seed": 3},
    ],
)
def test_a_stored_configuration_tells_its_key(changes: dict[str, object]) -> None:
    config, revisions, key = stored(**changes)
    assert key_of(config, revisions, components) == key


@pytest.mark.parametrize(
    ("field", "value"),
    [("seed", 7), ("epochs", 9), ("loss", {"name": "gce", "q": 0.1, "logit_bias": 0.0})],
)
def test_another_configuration_has_another_key(field: str, value: object) -> None:
    config, revisions, key = stored()
    assert key_of({**config, field: value}, revisions, components) not in (key, None)


@pytest.mark.parametrize(
    "change",
    [
        {"loss": {"name": "no_such_loss"}},
        {"loss": {"name": "gce", "q": 0.7, "no_such_parameter": 1}},
        {"tomorrow": 1},
        {"loss": {"q": 0.7}},
        {"loss": "gce"},
        {"seed": float("nan")},
        {"augmentation": None},
    ],
)
def test_of_what_is_unknown_here_no_key_is_told(change: dict[str, object]) -> None:
    config, revisions, _ = stored()
    assert key_of({**config, **change}, revisions, components) is None


def test_of_other_revisions_no_key_is_told() -> None:
    config, revisions, _ = stored()
    assert key_of(config, {**revisions, "loss": 2}, components) is None
    assert key_of(config, {}, components) is None


PLUG_IN = """
from dataclasses import dataclass
from trainables.losses import LOSSES

@LOSSES.register("foreign")
@dataclass(frozen=True)
class Foreign:
    p: float = 2.0
    def __call__(self, logits, labels):
        return logits
"""


def test_a_plug_in_of_a_foreign_row_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "foreign_loss_of_a_row.py").write_text(PLUG_IN)
    monkeypatch.syspath_prepend(tmp_path)
    config, revisions, _ = stored()
    named = {**config, "loss": {"name": "foreign_loss_of_a_row", "p": 2.0}}
    assert key_of(named, revisions, components) is None
    assert "foreign_loss_of_a_row" not in sys.modules
    # Imported by a study of ours, it is still a plug-in: its default may have been another one.
    config, revisions, _ = stored(loss="foreign_loss_of_a_row")
    assert key_of(config, revisions, components) is None
    # So it is if it takes the name of a built-in loss.
    monkeypatch.setitem(LOSSES._components, "gce", LOSSES.component("foreign"))
    assert not LOSSES.is_built_in("gce")
    for name in ("foreign_loss_of_a_row", "foreign"):
        LOSSES._components.pop(name)
