"""The losses as the shipped studies have them: their parameters stand there and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.figures.registry import FigureError
from orchestrator.study.model import Study, parse_study
from orchestrator.study.text import StudyError, load_source
from trainables.config import Choice
from trainables.theory.calibration import settle

STUDIES = Path(__file__).parents[2] / "studies"

LABELS = ("CE", "MAE", "genCE", "biTemp", "AGCE", "NF-MAE", "NCE-MAE", "NCE-AGCE")
"""The losses that Table 2 compares, without its logit biases."""


def study_loss(study: str, label: str, num_classes: int) -> Choice:
    """A loss of a study, its open parameters settled for a class count. Raises FigureError."""
    return _settled(_study(study).losses[label], num_classes)


def compared_losses(num_classes: int) -> dict[str, Choice]:
    """Table 2's losses: parameters for 10 classes, or those for 100 where there are more."""
    study = _study("table2")
    losses: dict[str, Any] = dict(study.losses)
    if num_classes > 10:
        losses |= study.datasets["cifar100"].losses
    return {label: _settled(losses[label], num_classes) for label in LABELS}


def _study(name: str) -> Study:
    path = STUDIES / f"{name}.yaml"
    try:
        return parse_study(load_source(path))
    except StudyError as error:
        raise FigureError(f"this figure takes its losses from a shipped study: {error}") from error


def _settled(loss: Any, num_classes: int) -> Choice:
    mapping = settle(loss if isinstance(loss, Mapping) else {"name": loss}, num_classes)
    return Choice.of(mapping["name"], {k: v for k, v in mapping.items() if k != "name"})
