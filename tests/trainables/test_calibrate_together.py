"""Several parameters at once: of the solutions the one that pulls least hard later on."""

from __future__ import annotations

import math

import pytest

from trainables.config import Choice
from trainables.registry import ComponentError
from trainables.theory.calibration import (
    FACTORS,
    calibrate,
    calibrate_together,
    initial_error,
    peak,
)

AGCE = Choice.of("agce", a=1.8, q=3.0)


@pytest.mark.parametrize("num_classes", [10, 100, 1000])
def test_the_peak_of_cross_entropy_is_one(num_classes: int) -> None:
    """⟨δ_k⟩ = ⟨a_k⟩ - 1 is -1 where the network contradicts the label."""
    found = peak(Choice("ce"), num_classes)
    assert found.value == pytest.approx(-1, abs=0.01)
    assert found.logit == -4


def test_the_peak_of_mae_is_that_of_its_formula() -> None:
    """2 p (p - 1) is largest at p = 1/2, where z_k is near the logarithm of the rivals' sum."""
    found = peak(Choice("mae"), 1000)
    assert found.value == pytest.approx(-0.5, abs=0.01)
    assert found.logit == pytest.approx(math.log(1.65 * 999), abs=0.5)


def test_the_smallest_peak_of_the_grid_is_taken() -> None:
    found = calibrate_together(AGCE, AGCE, ("a", "q"), 10, 100)
    assert found.values.keys() == {"a", "q"}
    assert found.reached.value == pytest.approx(found.target.value, rel=0.01)
    peaks = {}
    for factor in FACTORS:
        try:
            one = calibrate(AGCE, AGCE.replace(a=1.8 * factor), "q", 10, 100)
        except ComponentError:
            continue
        peaks[factor] = abs(peak(one.result, 100).value)
    assert abs(peak(found.result, 100).value) == pytest.approx(min(peaks.values()), rel=0.02)
    assert min(peaks.values()) < peaks[1] / 2  # q alone pulls more than twice as hard


def test_one_parameter_is_calibrated_as_ever() -> None:
    assert calibrate_together(AGCE, AGCE, ("q",), 10, 100) == calibrate(AGCE, AGCE, "q", 10, 100)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (("a", "a"), "'a' is named twice"),
        (("a", "q", "a", "q"), "no more than 3 parameters"),
        (("a", "p"), "no numeric parameter 'p'"),
        (("b", "q"), "no numeric parameter 'b'"),
    ],
)
def test_what_cannot_be_sought_is_named(parameters: tuple[str, ...], words: str) -> None:
    with pytest.raises(ComponentError, match=words):
        calibrate_together(AGCE, AGCE, parameters, 10, 100)


def test_table_3_keeps_the_error_of_100_classes_with_a_small_peak() -> None:
    published = Choice.of("nce_agce", alpha=10.0, beta=0.1, a=1.8, q=3.0)
    ours = Choice.of("nce_agce", alpha=10.0, beta=1.0, a=0.018, q=0.122)
    wanted = initial_error(published, 100, 1_000_000).value
    assert initial_error(ours, 1000, 1_000_000).value == pytest.approx(wanted, rel=0.01)
    assert -0.65 < peak(ours, 1000).value < -0.55
    assert peak(published.replace(beta=10.2), 1000).value < -13
