"""What the verbs without training say: bounds, weights of MAE and CCE, losses that prune, peaks."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from torch import Tensor

from orchestrator.cli.theory_text import calibration_lines, calibration_of, variance_rows
from trainables.config import Choice
from trainables.losses import LOSSES, build_loss
from trainables.losses.gce import GeneralizedCrossEntropy
from trainables.theory.calibration import initial_error
from trainables.theory.loss_contract import Finding, check_loss


def symmetry_of(loss) -> Finding:
    return next(f for f in check_loss(loss) if f.name.startswith("Symmetric"))


def test_the_bounds_of_the_sum_stand_beside_the_sampled_ones() -> None:
    found = symmetry_of(build_loss({"name": "gce", "q": 0.7}, 10))
    assert found.passed is None
    assert found.detail.startswith("no: Σ_k L from 11.4")
    assert found.detail.endswith("here, 11.44 to 12.86 by its formula")
    assert "formula" not in symmetry_of(build_loss({"name": "nce"}, 10)).detail


@dataclass(frozen=True)
class WrongBounds:
    loss: GeneralizedCrossEntropy

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        return self.loss(logits, labels)

    def sum_bounds(self, num_classes: int) -> tuple[float, float]:
        return 0.0, num_classes - 1.0


def test_bounds_that_do_not_hold_fail() -> None:
    assert symmetry_of(WrongBounds(GeneralizedCrossEntropy())).passed is False


def test_the_weights_of_mae_and_cross_entropy() -> None:
    """4 p (1 - p) and 2 (1 - p) with p uniform: 16/30 - 4/9, and 4/12."""
    rows = {name: (ours, published) for name, ours, published in variance_rows()}
    assert rows["MAE"] == ("0.089", "0.09")
    assert rows["CCE"] == ("0.333", "")
    assert rows["IMAE, T = 8"] == ("4.546", "4.546")


@pytest.mark.parametrize("bias", [0.0, 3.0])
def test_a_loss_that_prunes_counts_as_what_it_trains_with(bias: float) -> None:
    pruning = Choice.of("tgce", q=0.7, logit_bias=bias)
    plain = Choice.of("gce", q=0.7, logit_bias=bias)
    assert initial_error(pruning, 10) == initial_error(plain, 10)
    assert initial_error(pruning, 10).value < -0.1
    assert LOSSES.resolve(pruning).name == "tgce"


def test_a_mere_rescaling_is_warned_of() -> None:
    origin = {"a": 1.8, "q": 3.0}
    found = calibration_of("agce", 10, 1000, ["a"], origin, {"q": 3.0})
    text = "\n".join(calibration_lines(found))
    assert "largest ⟨δ_k⟩(z_k)" in text
    assert "warning: the largest average error rises from" in text


def test_a_small_change_is_not() -> None:
    text = "\n".join(calibration_lines(calibration_of("gce", 100, 1000, [], {}, {})))
    assert text.startswith("q = 0.482\n")
    assert "warning" not in text
