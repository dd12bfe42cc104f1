"""The weight of a sample over the probability of its label, from the gradient of the loss."""

from __future__ import annotations

from storage.reporting.figures.picture import Axis, Line
from trainables.config import Choice
from trainables.losses import build_loss
from trainables.theory.early_learning import sample_weights

PROBABILITIES = tuple(i / 200 for i in range(1, 200))

PROBABILITY_AXIS = Axis("probability p of the labelled class", limits=(0.0, 1.0))


def weight_line(name: str, loss: Choice, *, colour: int) -> Line:
    """Σ_n |∂L/∂z_n| over p, a loss whose δ_k depends on p alone."""
    weights = sample_weights(build_loss(loss, 2), PROBABILITIES)
    return Line(name, PROBABILITIES, tuple(weights.tolist()), colour)
