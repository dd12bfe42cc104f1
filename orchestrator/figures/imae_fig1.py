"""Wang et al. (IMAE), Figure 1: how CCE, MAE and IMAE weigh a sample by its probability."""

from __future__ import annotations

from orchestrator.figures.registry import Inputs
from orchestrator.figures.weights import PROBABILITY_AXIS, weight_line
from storage.reporting.figures.picture import Axis, Panel, Picture
from trainables.config import Choice

TEMPERATURE = 8.0
"""Published for noisy training sets."""

CAPTION = (
    "Weight of a sample, the L1 norm of the gradient by the logits, over the probability p of its "
    "label: 2(1 − p) for CCE, 4p(1 − p) for MAE, exp(T p(1 − p)) for IMAE with T = 8. The formulas "
    "are those of the source and are taken here from the gradients of the losses. Which T the "
    "print draws is not known; 8 is what the source uses for noisy labels."
)


def build(inputs: Inputs) -> Picture:
    """Three lines."""
    del inputs
    lines = (
        weight_line("CCE", Choice("ce"), colour=6),
        weight_line("MAE", Choice("mae"), colour=0),
        weight_line("IMAE, T = 8", Choice.of("imae", temperature=TEMPERATURE), colour=1),
    )
    panel = Panel("", PROBABILITY_AXIS, Axis("weight of the sample"), lines)
    return Picture("imae-fig1", "Weight of a sample over its probability", CAPTION, (panel,), 1)
