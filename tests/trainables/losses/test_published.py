"""Published parameters asked for by data set: numbers in the cell, refusals in one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from orchestrator.cli.theory_text import published_lines
from trainables.components import build_config
from trainables.config import Choice
from trainables.losses import LOSSES, build_loss
from trainables.losses.published import published_of, with_published, written_out
from trainables.registry import ComponentError

BUILT_IN = LOSSES.names()
"""Taken before any test registers a loss of its own."""

PUBLISHED = [name for name in BUILT_IN if published_of(name) is not None]

FIELDS = {"dataset": "cifar100", "architecture": "mlp1024", "learning_rate": 0.1, "epochs": 1}


def settled(loss: Mapping[str, Any]) -> Choice:
    return build_config({**FIELDS, "loss": loss}).loss


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        (
            {"name": "nce_rce", "defaults": "cifar100"},
            {"name": "nce_rce", "alpha": 10, "beta": 0.1},
        ),
        (
            {"name": "nce_rce", "defaults": "cifar100", "beta": 0.2},
            {"name": "nce_rce", "alpha": 10, "beta": 0.2},
        ),
        # The authors' 10 and 1 are on 1 - a_k; here MAE is twice that.
        (
            {"name": "nce_mae", "defaults": "cifar100"},
            {"name": "nce_mae", "alpha": 10, "beta": 0.5},
        ),
        (
            {"name": "anl_fl", "defaults": "cifar10"},
            {"name": "anl_fl", "alpha": 5, "beta": 5, "gamma": 0.5, "focal_factors": "detached"},
        ),
        ({"name": "js", "defaults": "cifar10-symmetric-0.4"}, {"name": "js", "pi1": 0.7}),
        (
            {"name": "agce", "defaults": "mnist", "logit_bias": "auto"},
            {"name": "agce", "a": 4, "q": 0.2, "logit_bias": 3.0},
        ),
    ],
    ids=lambda loss: loss["name"],
)
def test_a_request_is_the_written_out_form(asked: dict[str, Any], written: dict[str, Any]) -> None:
    assert settled(asked) == settled(written)


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_was_published_is_what_the_loss_takes(name: str) -> None:
    published = published_of(name)
    assert published is not None
    assert published.source
    for dataset, parameters in published.by_dataset.items():
        assert parameters, "nothing to take"
        resolved = LOSSES.resolve(written_out(Choice.of(name, defaults=dataset)))
        for key, value in parameters.items():
            assert resolved.get(key) == value
        build_loss({"name": name, "defaults": dataset}, 10)


def test_a_default_of_a_loss_is_that_of_cifar10() -> None:
    """Where the published parameters know this data set without more words."""
    moved = {
        (name, key)
        for name in PUBLISHED
        for key, value in getattr(published_of(name), "by_dataset", {}).get("cifar10", {}).items()
        if key != "focal_factors" and LOSSES.component(name).parameters[key].default != value
    }
    # Their authors' MAE is half of ours (kept since it is the loss's first default); q of NGCE is
    # that of CIFAR-100.
    assert moved == {("nce_mae", "beta"), ("nfl_mae", "beta"), ("ngce", "q")}


@pytest.mark.parametrize(
    ("loss", "words", "nearest"),
    [
        (
            {"name": "nce_rce", "defaults": "cifr100"},
            "no published defaults for 'cifr100'",
            "cifar100",
        ),
        ({"name": "nce_rce", "defaults": ["cifar10"]}, "no published defaults for", "cifar10"),
        ({"name": "ce", "defaults": "cifar10"}, "ce has no published defaults", None),
    ],
)
def test_an_unknown_data_set_is_refused_in_one_line(
    loss: dict[str, Any], words: str, nearest: str | None
) -> None:
    with pytest.raises(ComponentError, match=words) as raised:
        settled(loss)
    assert raised.value.key == "loss.defaults"
    assert raised.value.nearest == nearest
    assert "\n" not in raised.value.message


def test_a_parameter_of_this_name_is_a_parameter() -> None:
    @LOSSES.register("with_defaults")
    def with_defaults(logits: Any, labels: Any, *, defaults: str = "none") -> Any:
        return logits.sum(1)

    try:
        loss = {"name": "with_defaults", "defaults": "cifar100"}
        assert with_published(loss) == loss
    finally:
        LOSSES._components.pop("with_defaults")


def test_a_check_tells_what_was_published() -> None:
    lines = list(published_lines("nce_rce"))
    assert lines[0].startswith("Published parameters, for `defaults`: configurations of Ma et al.")
    assert "cifar100    alpha=10.0, beta=0.1" in lines
    assert list(published_lines("ce")) == []
