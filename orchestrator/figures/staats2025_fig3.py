"""Staats et al., Figure 3: genCE at 100 and 1,000 classes, and with a calibrated q."""

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
from trainables.theory.calibration import calibrate

LOGITS = logits_between(-4, 11)

CAPTION = (
    "Mean error ⟨δ_k⟩ of genCE over the labelled logit, with all other logits from N(0, 1). With "
    "q = 0.7 the error at 1,000 classes starts far below that at 100; with q = {q:g} it is the "
    "same for a labelled logit of 0, {error:.4f}. The condition is that of the source; its q and "
    "its error are lost in the text at hand, both are computed here."
)


def build(inputs: Inputs) -> Picture:
    """Three lines."""
    del inputs
    published = Choice.of("gce", q=0.7)
    found = calibrate(published, published, "q", 100, 1000)
    curves = (
        ("K = 100, q = 0.7", published, 100, 0),
        ("K = 1,000, q = 0.7", published, 1000, 1),
        (f"K = 1,000, q = {found.value:g}", found.result, 1000, 2),
    )
    lines = tuple(
        error_line(name, loss, classes, LOGITS, colour=colour)
        for name, loss, classes, colour in curves
    )
    caption = CAPTION.format(q=found.value, error=found.target.value)
    panel = Panel("", LOGIT_AXIS, ERROR_AXIS, lines, (initial_logits(),))
    return Picture("staats2025-fig3", "genCE with a calibrated q", caption, (panel,), 1)
