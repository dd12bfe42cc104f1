"""Staats et al., Figure 1: why MAE learns with 10 classes and hardly with 100."""

from __future__ import annotations

from orchestrator.figures.parts import (
    ERROR_AXIS,
    LOGIT_AXIS,
    error_line,
    initial_logits,
    logits_between,
)
from orchestrator.figures.registry import Inputs
from storage.reporting.figures.picture import Panel, Picture
from trainables.config import Choice

LOGITS = logits_between(-4, 10)

CAPTION = (
    "Mean error ⟨δ_k⟩ that MAE sends back to the labelled logit, over that logit, with all other "
    "logits from N(0, 1). Grey: where the labelled logit of a fresh network lies. With 10 classes "
    "the two overlap; with 100 the error is largest where no fresh network is. Both curves follow "
    "from the definition with MAE = 2(1 − a_k); the print's scale is unknown if it leaves the "
    "factor 2 out, and its range of the axes is not known."
)


def build(inputs: Inputs) -> Picture:
    """Two lines over the law of the initial logits."""
    del inputs
    lines = tuple(
        error_line(f"MAE, K = {classes}", Choice("mae"), classes, LOGITS, colour=colour)
        for classes, colour in ((10, 0), (100, 1))
    )
    panel = Panel("", LOGIT_AXIS, ERROR_AXIS, lines, (initial_logits(),))
    return Picture("staats2025-fig1", "Mean error of MAE", CAPTION, (panel,), 1)
