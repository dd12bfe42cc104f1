"""Staats et al., Figure 6: which parameters of NCE-AGCE start learning at 1,000 classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.figures.published import study_loss
from orchestrator.figures.registry import Inputs
from storage.reporting.figures.picture import Axis, Line, Mark, Panel, Picture, Plane
from trainables.config import Choice
from trainables.theory.calibration import initial_error

CLASSES = 1000
STEPS = 24

CAPTION = (
    "Size of the mean error ⟨δ_k⟩ of NCE-AGCE at a labelled logit of 0 and 1,000 classes, over two "
    "planes of its four parameters. Dashed: the value {target:.5f} that the published parameters "
    "have at 100 classes, {origin}. Cross: the parameters of NCE-AGCE+ in studies/table3.yaml, "
    "{chosen}. The condition is the source's. Which planes it draws and which solution it takes "
    "are lost in the text at hand; the solution here is ours."
)


@dataclass(frozen=True)
class Parameters:
    """Of NCE-AGCE."""

    alpha: float
    beta: float
    a: float
    q: float

    @classmethod
    def of(cls, loss: Choice) -> Parameters:
        return cls(*(float(loss.get(name)) for name in ("alpha", "beta", "a", "q")))

    def __str__(self) -> str:
        return f"α = {self.alpha:g}, β = {self.beta:g}, a = {self.a:g}, q = {self.q:g}"


def build(inputs: Inputs) -> Picture:
    """Two planes through the chosen solution."""
    del inputs
    origin = study_loss("table3", "NCE-AGCE", CLASSES)
    chosen = Parameters.of(study_loss("table3", "NCE-AGCE+", CLASSES))
    target = -initial_error(origin, 100).value
    caption = CAPTION.format(target=-target, origin=Parameters.of(origin), chosen=chosen)
    panels = (_shape_panel(chosen, target), _weight_panel(chosen, target))
    return Picture("staats2025-fig6", "NCE-AGCE over its parameters", caption, panels)


def _shape_panel(chosen: Parameters, target: float) -> Panel:
    """q and a at the chosen α and β."""
    shapes = _log_spaced(min(0.01, chosen.a / 3), 10)
    exponents = tuple(np.linspace(0.02, max(3.0, 1.2 * chosen.q), STEPS).tolist())
    active = chosen.alpha * _active()
    passive = [[asymmetric(a, q) for q in exponents] for a in shapes]
    values = tuple(tuple(active + chosen.beta * size for size in row) for row in passive)
    wanted = (target - active) / chosen.beta
    solutions = [
        (_crossing(exponents, row, wanted), a) for row, a in zip(passive, shapes, strict=True)
    ]
    line = Line(
        "as K = 100",
        tuple(exponents[0] if q is None else q for q, _ in solutions),
        tuple(None if q is None else a for q, a in solutions),
        6,
        "dash",
    )
    return Panel(
        f"a  α = {chosen.alpha:g}, β = {chosen.beta:g}",
        Axis("q"),
        Axis("a", "log"),
        (line,),
        plane=Plane("−⟨δ_k⟩(0)", exponents, shapes, values, "log"),
        marks=(Mark("NCE-AGCE+", chosen.q, chosen.a),),
    )


def _weight_panel(chosen: Parameters, target: float) -> Panel:
    """α and β at the chosen a and q: the error is linear in both."""
    active, passive = _active(), asymmetric(chosen.a, chosen.q)
    alphas = _log_spaced(1, 300)
    betas = _log_spaced(min(0.1, chosen.beta / 3), max(20.0, 3 * chosen.beta))
    values = tuple(tuple(x * active + y * passive for x in alphas) for y in betas)
    solutions = [(target - x * active) / passive for x in alphas]
    line = Line(
        "as K = 100", alphas, tuple(y if y >= betas[0] else None for y in solutions), 6, "dash"
    )
    return Panel(
        f"b  a = {chosen.a:g}, q = {chosen.q:g}",
        Axis("α", "log"),
        Axis("β", "log"),
        (line,),
        plane=Plane("−⟨δ_k⟩(0)", alphas, betas, values, "log"),
        marks=(Mark("NCE-AGCE+", chosen.alpha, chosen.beta),),
    )


def asymmetric(a: float, q: float) -> float:
    """−⟨δ_k⟩(0) of AGCE alone."""
    return -initial_error(Choice.of("agce", a=a, q=q), CLASSES).value


def _active() -> float:
    """−⟨δ_k⟩(0) of NCE alone."""
    return -initial_error(Choice("nce"), CLASSES).value


def _crossing(exponents: Sequence[float], sizes: Sequence[float], wanted: float) -> float | None:
    """The q at which a row of the plane has the wanted size.

    The logarithm of the size is monotonic and nearly straight in q: an interpolation is enough.
    """
    heights, level = np.log(sizes), math.log(wanted)
    if not min(heights[0], heights[-1]) <= level <= max(heights[0], heights[-1]):
        return None
    order = np.argsort(heights)
    return float(np.interp(level, heights[order], np.asarray(exponents)[order]))


def _log_spaced(low: float, high: float) -> tuple[float, ...]:
    spaced = np.linspace(math.log(low), math.log(high), STEPS)
    return tuple(np.exp(spaced).tolist())
