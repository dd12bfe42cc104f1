"""Staats et al., Figure 2: the compared losses at 10 and at 1,000 classes."""

from __future__ import annotations

from orchestrator.figures.parts import (
    COLOURS,
    ERROR_AXIS,
    LOGIT_AXIS,
    error_line,
    initial_logits,
    logits_between,
)
from orchestrator.figures.published import compared_losses
from orchestrator.figures.registry import Inputs
from storage.reporting.figures.picture import Panel, Picture
from trainables.theory.calibration import auto_logit_bias

HALVED = "NCE-AGCE"
"""Drawn at half its height with 10 classes, as in the print, to fit the panel."""

CAPTION = (
    "Mean error ⟨δ_k⟩ of the compared losses over the labelled logit, with all other logits from "
    "N(0, 1). Grey: the labelled logit of a fresh network, and the same shifted by the logit bias "
    "ε(K). BiTemp is dashed; NCE-AGCE is drawn at half its height in panel a, as in the print. "
    "Panel b takes the parameters for 100 classes, as the source does for 1,000. The law of the "
    "logits and the choice of losses are those of the print; the parameters stand in "
    "studies/table2.yaml, where those that the text at hand has lost are marked, and ε follows "
    "from a mean activation of 0.15, which is inferred. At 1,000 classes MAE, NF-MAE and NCE-MAE "
    "lie on each other. The range of the axes is not known: the lines end here where they are well "
    "apart."
)


def build(inputs: Inputs) -> Picture:
    """Two panels."""
    del inputs
    panels = (_panel("a  K = 10", 10, 4.0), _panel("b  K = 1,000", 1000, 8.5))
    return Picture("staats2025-fig2", "Mean errors of the compared losses", CAPTION, panels)


def _panel(title: str, num_classes: int, end: float) -> Panel:
    logits = logits_between(-4, end)
    lines = []
    for label, loss in compared_losses(num_classes).items():
        halved = label == HALVED and num_classes == 10
        name = f"{label} / 2" if halved else label
        line = error_line(
            name,
            loss,
            num_classes,
            logits,
            colour=COLOURS[label],
            dash="dash" if label == "biTemp" else "solid",
            factor=0.5 if halved else 1.0,
        )
        lines.append(line)
    bias = auto_logit_bias(num_classes)
    laws = (initial_logits(), initial_logits(f"shifted by ε = {bias:g}", bias))
    return Panel(title, LOGIT_AXIS, ERROR_AXIS, tuple(lines), laws)
