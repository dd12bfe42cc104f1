"""Panels of ⟨δ_k⟩ over z_k that the verbs draw: theory, calibrate, check-loss."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orchestrator.figures.parts import (
    ERROR_AXIS,
    LOGIT_AXIS,
    error_line,
    initial_logits,
    logits_between,
)
from orchestrator.figures.staats2025_fig4 import logit_bias_panel
from storage.reporting.figures.picture import Dash, Line, Panel, Picture
from trainables.config import Choice
from trainables.theory.calibration import Calibration

YARDSTICKS = (("CE", Choice("ce"), 6), ("MAE", Choice("mae"), 0))
"""What a loss is compared with, and its colour: one learns at any K, the other does not."""

CAPTION = (
    "Mean backpropagation error ⟨δ_k⟩ over the labelled logit z_k, with all other logits from "
    "N(0, 1). Grey: where the labelled logit of a fresh network lies. A loss learns from the start "
    "where its line is far from 0 over the grey."
)

DRAWN = (
    *("ce", "mae", "gce", "sce", "bitempered", "agce"),
    *("nce", "nfl", "nfl_mae", "nce_mae", "nce_agce", "imae"),
)
"""The losses that the sources compare: more lines could not be told apart."""

Entry = tuple[str, Choice, int, Dash]
"""Name, loss, colour, dash."""


def theory_picture(class_counts: Sequence[int]) -> Picture:
    """A panel for each class count with the losses of the sources, and ε(K)."""
    dashes: tuple[Dash, ...] = ("solid", "dash")
    entries = [
        (name, Choice(name), number % 10, dashes[number // 10]) for number, name in enumerate(DRAWN)
    ]
    panels = [_panel(f"K = {count:,}", entries, count, step=0.5) for count in class_counts]
    panels.append(logit_bias_panel("logit bias ε(K)"))
    caption = f"{CAPTION} Any other loss is drawn by `orchestrator check-loss NAME --plot FILE`."
    return Picture("theory", "How learning starts", caption, tuple(panels))


def calibration_picture(found: Calibration) -> Picture:
    """The loss before and after at both class counts, beside CE and MAE."""
    name = found.parameter
    before: Entry = (f"{name} = {found.origin.get(name):g}", found.origin, 1, "solid")
    after: Entry = (f"{name} = {found.value:g}", found.result, 2, "solid")
    panels = (
        _panel(f"K = {found.from_classes:,}", [before, *_yardsticks()], found.from_classes),
        _panel(f"K = {found.to_classes:,}", [before, after, *_yardsticks()], found.to_classes),
    )
    caption = f"{CAPTION} With {name} = {found.value:g} learning starts at {found.to_classes:,} "
    caption += f"classes as with {name} = {found.origin.get(name):g} at {found.from_classes:,}."
    return Picture("calibration", f"{found.origin.name}: {name} calibrated", caption, panels)


def loss_picture(name: str, loss: Choice, class_counts: Sequence[int] = (10, 1000)) -> Picture:
    """One loss beside CE and MAE."""
    entries: list[Entry] = [(name, loss, 1, "solid"), *_yardsticks()]
    panels = tuple(_panel(f"K = {count:,}", entries, count) for count in class_counts)
    return Picture("loss", f"How learning starts with {name}", CAPTION, panels)


def _yardsticks() -> Iterable[Entry]:
    for name, loss, colour in YARDSTICKS:
        yield name, loss, colour, "dash"


def _panel(title: str, entries: Iterable[Entry], classes: int, step: float = 0.25) -> Panel:
    # From N(0, 1) to a little beyond where MAE pulls hardest, near log K.
    end = 3.0 if classes <= 10 else 5.5 if classes <= 100 else 8.0
    logits = logits_between(-4, end, step)
    lines: list[Line] = [
        error_line(name, loss, classes, logits, colour=colour, dash=dash)
        for name, loss, colour, dash in entries
    ]
    return Panel(title, LOGIT_AXIS, ERROR_AXIS, tuple(lines), (initial_logits(),))
