"""What makes two cells the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.cell import make_cell
from trainables import catalog
from trainables.catalog import build_config
from trainables.losses import LOSSES

FIELDS = {
    "dataset": "fashion-mnist-small",
    "architecture": {"name": "mlp", "hidden": [8]},
    "loss": {"name": "gce"},
    "learning_rate": 0.1,
    "epochs": 2,
}


def key(**changes: object) -> str:
    return make_cell(build_config({**FIELDS, **changes}), catalog).key


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
    before = make_cell(build_config(FIELDS), catalog)
    moved = replace(LOSSES.component("gce"), revision=2)
    monkeypatch.setitem(LOSSES._components, "gce", moved)
    after = make_cell(build_config(FIELDS), catalog)
    assert after.key != before.key
    assert after.base_key == before.base_key == before.key
    assert after.revisions["loss"] == 2
    monkeypatch.setitem(FIELDS, "loss", "ce")
    assert make_cell(build_config(FIELDS), catalog).revisions["loss"] == 1


@settings(max_examples=50, deadline=None)
@given(order=st.permutations(list(FIELDS)))
def test_the_order_of_fields_is_irrelevant(order: list[str]) -> None:
    shuffled = {name: FIELDS[name] for name in order}
    assert make_cell(build_config(shuffled), catalog).key == key()
