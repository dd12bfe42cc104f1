"""What several figures share: curves of mean errors, the histogram of initial logits, colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from storage.reporting.figures.picture import Axis, Dash, Histogram, Line
from trainables.config import Choice
from trainables.losses import build_loss
from trainables.theory.early_learning import mean_errors

COLOURS = {
    "CE": 6,
    "MAE": 0,
    "genCE": 1,
    "biTemp": 4,
    "AGCE": 5,
    "NF-MAE": 2,
    "NCE-MAE": 3,
    "NCE-AGCE": 7,
}
"""Each loss keeps its colour in all figures."""

LOGIT_AXIS = Axis("labelled logit z_k")
ERROR_AXIS = Axis("mean error ⟨δ_k⟩(z_k)")

BAR = 0.25


def logits_between(low: float, high: float, step: float = 0.25) -> tuple[float, ...]:
    """z_k of a curve."""
    return tuple(low + step * i for i in range(round((high - low) / step) + 1))


def error_line(
    name: str,
    loss: Choice,
    num_classes: int,
    logits: Sequence[float],
    *,
    colour: int,
    dash: Dash = "solid",
    factor: float = 1.0,
) -> Line:
    """⟨δ_k⟩ of a loss over z_k, times a factor."""
    errors = mean_errors(build_loss(loss, num_classes), num_classes, logits)
    heights = tuple(factor * error.value for error in errors)
    return Line(name, tuple(logits), heights, colour, dash)


def initial_logits(name: str = "initial logits", shift: float = 0.0) -> Histogram:
    """The law of a fresh network's labelled logit, N(shift, 1), in bars."""
    edges = tuple(shift + edge for edge in logits_between(-3.5, 3.5, BAR))
    below = [_normal_below(edge - shift) for edge in edges]
    shares = [(high - low) / BAR for low, high in pairwise(below)]
    return Histogram(name, edges, tuple(shares))


def _normal_below(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2))
