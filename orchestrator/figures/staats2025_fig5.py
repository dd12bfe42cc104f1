"""Staats et al., Figure 5: logits of fresh networks on real images."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from orchestrator.figures.parts import logits_between
from orchestrator.figures.registry import FigureError, Inputs
from storage.reporting.figures.picture import Axis, Dash, Histogram, Line, Panel, Picture
from trainables.config import Choice
from trainables.datasets import DatasetError, load_dataset
from trainables.theory.fresh_logits import fresh_logits

if TYPE_CHECKING:
    from numpy.typing import NDArray

INITIALIZATIONS = 3

CAPTION = (
    "Histogram of all logits of {count} fresh networks, before any training step and with batch "
    "statistics where the network has them, on {images} training images of CIFAR-10 (a, MLP1024, "
    "Xavier-uniform) and {few} of CIFAR-100 (b, ResNet-34, Kaiming-normal){origin}. Solid line: "
    "the normal law with the measured standard deviation, {first} and {second} (each network "
    "alone: {each}). Dotted: N(0, 1), on which the theory builds. It is no more than near: a "
    "spread below 1 puts the labelled class nearer to 1/K than the theory has it, one above 1 "
    "farther, and a logit bias from N(0, 1) is then somewhat too large or too small. Which "
    "networks and how many images the print shows follows the source's words; its "
    "numbers are not known."
)


@dataclass(frozen=True)
class Subject:
    """A network and the images it is shown."""

    title: str
    architecture: str
    dataset: str
    num_images: int
    normalization: Choice


SUBJECTS = (
    Subject(
        "a  MLP1024 on CIFAR-10",
        "mlp1024",
        "cifar10",
        256,
        Choice.of("fixed", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    ),
    # An eighth of the images: a ResNet-34 costs a billion multiplications for each.
    Subject(
        "b  ResNet-34 on CIFAR-100",
        "resnet34",
        "cifar100",
        32,
        Choice.of("fixed", mean=(0.50708, 0.48655, 0.44092), std=(0.26733, 0.25644, 0.27615)),
    ),
)


def build(inputs: Inputs) -> Picture:
    """Two panels. Raises FigureError where the images are not there."""
    measured = [measure(subject, inputs) for subject in SUBJECTS]
    panels = tuple(_panel(s, logits) for s, logits in zip(SUBJECTS, measured, strict=True))
    first, second = (f"{float(logits.std()):.2f}" for logits in measured)
    each = "; ".join(", ".join(f"{one.std():.2f}" for one in logits) for logits in measured)
    caption = CAPTION.format(
        count=INITIALIZATIONS,
        images=SUBJECTS[0].num_images,
        few=SUBJECTS[1].num_images,
        origin=", all drawn at random in place of the real ones" if inputs.use_synthetic else "",
        first=first,
        second=second,
        each=each,
    )
    return Picture("staats2025-fig5", "Logits of fresh networks", caption, panels)


def measure(subject: Subject, inputs: Inputs) -> NDArray[np.float64]:
    """Logits of each fresh network: [initialisations, images, K]."""
    choice = Choice.of(subject.dataset, train_size=subject.num_images)
    if inputs.use_synthetic:
        choice = Choice.of("synthetic", like=subject.dataset, images=subject.num_images)
    try:
        info, arrays = load_dataset(choice, inputs.data_root)
    except DatasetError as error:
        raise FigureError(
            f"{subject.title.split('  ')[1]}: {str(error).rstrip('.')}. "
            "With --synthetic drawn images stand in."
        ) from error
    images = np.asarray(arrays.train_images[: subject.num_images])
    return fresh_logits(
        subject.architecture, info, images, subject.normalization, range(INITIALIZATIONS)
    )


def _panel(subject: Subject, logits: NDArray[np.float64]) -> Panel:
    spread = float(logits.std())
    end = math.ceil(3.5 * max(spread, 1.0))
    heights, edges = np.histogram(logits, bins=60, range=(-end, end), density=True)
    bars = Histogram("logits", tuple(edges.tolist()), tuple(heights.tolist()), on_axis=True)
    return Panel(
        subject.title,
        Axis("logit z"),
        Axis("density"),
        (_normal(f"σ = {spread:.2f}", spread, end, 0), _normal("N(0, 1)", 1.0, end, 6)),
        (bars,),
    )


def _normal(name: str, spread: float, end: float, colour: int) -> Line:
    law = statistics.NormalDist(0.0, spread)
    points = logits_between(-end, end, 0.1)
    dash: Dash = "solid" if colour == 0 else "dot"
    return Line(name, points, tuple(map(law.pdf, points)), colour, dash)
