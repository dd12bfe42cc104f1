"""What two runs are compared by."""

from __future__ import annotations

from dataclasses import asdict

from trainables.config import TrainingResult


def curve(result: TrainingResult) -> list[dict[str, object]]:
    """Everything an epoch measured, but for the clock."""
    return [{k: v for k, v in asdict(r).items() if k != "seconds"} for r in result.epochs]
