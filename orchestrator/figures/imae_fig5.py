"""Wang et al. (IMAE), Figure 5: the weights of IMAE for its values of T."""

from __future__ import annotations

from orchestrator.figures.registry import Inputs
from orchestrator.figures.weights import PROBABILITY_AXIS, weight_line
from storage.reporting.figures.picture import Axis, Panel, Picture
from trainables.config import Choice
from trainables.losses import build_loss
from trainables.theory.early_learning import weighting_variance

TEMPERATURES = (16.0, 8.0, 4.0, 2.0, 1.0, 0.5, 0.0)
"""Those of Table 4."""

CAPTION = (
    "Weight exp(T p(1 − p)) of a sample under IMAE over the probability p of its label, for the "
    "values of T in Table 4; σ² is the variance of the weight with p uniform between 0 and 1. The "
    "variances agree with the printed ones to all their digits (354.113, 4.546, 0.299, 0.040, "
    "0.007, 0.002, 0). The axis of weights is logarithmic so that all lines can be told apart; the "
    "scale of the print is not known."
)


def build(inputs: Inputs) -> Picture:
    """A line for each T, the largest on top."""
    del inputs
    lines = []
    for colour, temperature in enumerate(TEMPERATURES):
        loss = Choice.of("imae", temperature=temperature)
        variance = weighting_variance(build_loss(loss, 2))
        lines.append(weight_line(f"T = {temperature:g}, σ² = {variance:.3f}", loss, colour=colour))
    panel = Panel("", PROBABILITY_AXIS, Axis("weight of the sample", "log"), tuple(lines))
    return Picture("imae-fig5", "Weights of IMAE for its values of T", CAPTION, (panel,), 1)
