"""The trackers that a study may ask for, and the packages that they need."""

from __future__ import annotations

import importlib.util

from orchestrator.study.model import Study
from orchestrator.study.text import Source

PACKAGES = {"tensorboard": "tensorboardX", "mlflow": "mlflow", "wandb": "wandb"}


def check_trackers(study: Study, source: Source) -> None:
    """Raise StudyError if the package of a tracker that the study asks for is not installed."""
    for position, name in enumerate(study.trackers):
        if importlib.util.find_spec(PACKAGES[name]) is None:
            raise source.error(
                f"needs the package {PACKAGES[name]}: pip install {PACKAGES[name]}",
                ("trackers", position),
            )
