"""All figures that are computed without a store, by name: the one list of them."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainables.registry import nearest

if TYPE_CHECKING:
    from storage.reporting.figures.picture import Picture

FIGURES = {
    "staats2025-fig1": (
        "orchestrator.figures.staats2025_fig1",
        "Mean error of MAE over the labelled logit, 10 and 100 classes",
    ),
    "staats2025-fig2": (
        "orchestrator.figures.staats2025_fig2",
        "Mean errors of the compared losses, 10 and 1,000 classes",
    ),
    "staats2025-fig3": (
        "orchestrator.figures.staats2025_fig3",
        "Mean error of genCE before and after its q is calibrated",
    ),
    "staats2025-fig4": (
        "orchestrator.figures.staats2025_fig4",
        "Logit bias over the number of classes",
    ),
    "staats2025-fig5": (
        "orchestrator.figures.staats2025_fig5",
        "Logits of fresh networks on real images (needs CIFAR-10 and CIFAR-100)",
    ),
    "staats2025-fig6": (
        "orchestrator.figures.staats2025_fig6",
        "Mean error of NCE-AGCE over planes of its parameters, 1,000 classes",
    ),
    "imae-fig1": (
        "orchestrator.figures.imae_fig1",
        "Weight of a sample over its probability: CCE, MAE and IMAE",
    ),
    "imae-fig5": (
        "orchestrator.figures.imae_fig5",
        "Weight of a sample under IMAE, for seven values of T",
    ),
}
"""Name → module with a `build(inputs) -> Picture`, and one line about it."""


class FigureError(Exception):
    """A figure cannot be computed; the text says why in one line."""


@dataclass(frozen=True)
class Inputs:
    """What a figure may read.

    Attributes:
        data_root: folder of the data sets.
        use_synthetic: whether drawn images may stand in for real ones.
    """

    data_root: Path
    use_synthetic: bool = False


def build_figure(name: str, inputs: Inputs) -> Picture:
    """The picture of a name. Raises FigureError."""
    if name not in FIGURES:
        near = nearest(name, FIGURES)
        hint = f"did you mean '{near}'?" if near else "see `figure list`"
        raise FigureError(f"unknown figure '{name}', {hint}")
    module, _ = FIGURES[name]
    picture: Picture = importlib.import_module(module).build(inputs)
    return picture
