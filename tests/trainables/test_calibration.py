"""Parameters from the class count: the recomputed values, requests in studies, refusals."""

from __future__ import annotations

from typing import Any

import pytest

from trainables.components import build_config
from trainables.config import Choice
from trainables.registry import ComponentError
from trainables.theory.calibration import calibrate, settle

PUBLISHED_100 = {"alpha": 10.0, "beta": 0.1, "a": 1.8, "q": 3.0}


def fields(loss: Any, dataset: Any = "cifar100") -> dict[str, Any]:
    return {
        "dataset": dataset,
        "architecture": "mlp1024",
        "loss": loss,
        "learning_rate": 0.1,
        "epochs": 1,
    }


@pytest.mark.parametrize(
    ("known", "classes", "q"), [(100, 1000, 0.482), (10, 100, 0.379), (10, 1000, 0.261)]
)
def test_gce_keeps_its_first_error(known: int, classes: int, q: float) -> None:
    found = calibrate(Choice("gce"), Choice("gce"), "q", known, classes)
    assert found.value == q
    assert found.reached.value == pytest.approx(found.target.value, rel=0.005)


@pytest.mark.parametrize(
    ("fixed", "parameter", "expected"),
    [
        ({"alpha": 10.0, "beta": 10.0, "a": 0.2}, "q", 0.255),
        ({"alpha": 10.0, "beta": 10.0, "q": 3.0}, "a", 1.82),
        ({"alpha": 10.0, "a": 1.8, "q": 3.0}, "beta", 10.2),
        ({"beta": 0.1, "a": 1.8, "q": 3.0}, "alpha", 157.6),
    ],
)
def test_the_solution_line_of_nce_agce(fixed: Any, parameter: str, expected: float) -> None:
    origin, wanted = Choice.of("nce_agce", PUBLISHED_100), Choice.of("nce_agce", fixed)
    assert calibrate(origin, wanted, parameter, 100, 1000).value == pytest.approx(
        expected, rel=0.005
    )


def test_requests_become_numbers_before_the_key() -> None:
    assert build_config(fields({"name": "mae", "logit_bias": "auto"})).loss.get("logit_bias") == 3.0
    request = {"name": "gce", "q": {"calibrate": {"from_classes": 10}}}
    written = build_config(fields({"name": "gce", "q": 0.379}))
    assert build_config(fields(request)) == written
    assert (
        build_config(fields(request, {"name": "synthetic", "like": "cifar100"})).loss
        == written.loss
    )


@pytest.mark.parametrize(("classes", "bias"), [(10, 0.5), (100, 3.0), (1000, 5.4)])
def test_the_automatic_bias_is_the_published_one(classes: int, bias: float) -> None:
    assert settle({"name": "mae", "logit_bias": "auto"}, classes) == {
        "name": "mae",
        "logit_bias": bias,
    }


def test_the_origin_takes_the_parameters_of_the_study() -> None:
    request = {"calibrate": {"from_classes": 10}}
    same = settle({"name": "agce", "a": 2.0, "q": request}, 10)
    assert same["q"] == pytest.approx(0.6, rel=0.01)
    other = {"calibrate": {"from_classes": 10, "from": {"a": 0.6}}}
    assert settle({"name": "agce", "a": 2.0, "q": other}, 10)["q"] != same["q"]


@pytest.mark.parametrize(
    ("loss", "key", "words"),
    [
        ({"name": "gce", "q": {"calibrate": {}}}, "loss.q", "from_classes"),
        ({"name": "gce", "q": {"calibrate": {"from_classes": 1}}}, "loss.q", "class count"),
        ({"name": "gce", "q": {"calibrate": {"from_clases": 10}}}, "loss.q", "no key"),
        ({"name": "gce", "q": {"calibrate": 10}}, "loss.q", "mapping"),
        ({"name": "gce", "p": {"calibrate": {"from_classes": 10}}}, "loss.p", "no numeric"),
        ({"name": "gcee", "logit_bias": "auto"}, "loss", "unknown loss"),
        ({"name": "gce", "q": {"some": "mapping"}}, "loss.q", "not a mapping"),
        ({"name": "mae", "logit_bias": "automatic"}, "loss.logit_bias", "number"),
    ],
)
def test_a_bad_request_names_its_key(loss: Any, key: str, words: str) -> None:
    with pytest.raises(ComponentError, match=words) as raised:
        build_config(fields(loss))
    assert raised.value.key == key


def test_an_error_out_of_reach_is_said_so() -> None:
    with pytest.raises(ComponentError, match="no 'q' keeps"):
        calibrate(
            Choice.of("nce_agce", PUBLISHED_100),
            Choice.of("nce_agce", {"alpha": 50.0, "beta": 10.0, "a": 0.5}),
            "q",
            100,
            1000,
        )
