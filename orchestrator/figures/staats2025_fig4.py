"""Staats et al., Figure 4: the logit bias over the number of classes."""

from __future__ import annotations

from orchestrator.figures.registry import Inputs
from storage.reporting.figures.picture import Axis, Line, Mark, Panel, Picture
from trainables.theory.early_learning import MEAN_ACTIVATION, logit_bias

MARKED = (10, 100, 1000)

CAPTION = (
    "Logit bias ε with which the labelled class starts at a mean activation of "
    f"{MEAN_ACTIVATION:g}, over the number of classes K; below 7 classes nothing has to be added. "
    "The equation is the source's. Its constant is lost in the text at hand: "
    f"{MEAN_ACTIVATION:g} is inferred from ε(10) = 0.5, and gives 3.0 and 5.4 for 100 and 1,000 "
    "classes. Another constant moves the whole curve up or down and hardly changes its shape."
)


def build(inputs: Inputs) -> Picture:
    """One line with three of its points."""
    del inputs
    panel = logit_bias_panel()
    return Picture("staats2025-fig4", "Logit bias over the number of classes", CAPTION, (panel,), 1)


def logit_bias_panel(title: str = "") -> Panel:
    """ε(K) from 2 to 10,000 classes."""
    counts = sorted({*MARKED, *(round(2 * 5000 ** (step / 40)) for step in range(41))})
    line = Line("ε(K)", tuple(map(float, counts)), tuple(map(logit_bias, counts)), 0)
    marks = tuple(
        Mark(f"K = {count:,}: {logit_bias(count):.2f}", float(count), logit_bias(count))
        for count in MARKED
    )
    axes = Axis("number of classes K", "log"), Axis("logit bias ε")
    return Panel(title, *axes, (line,), marks=marks)
