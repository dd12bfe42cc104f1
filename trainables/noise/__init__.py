"""Label noise: how the true training labels become the labels that are trained on.

A noise model is a callable `noise(labels, context) -> noisy labels`; it draws from the context's
generator only, so the noisy labels depend on the noise seed and on nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainables.registry import Registry

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from trainables.datasets import DatasetInfo


@dataclass(frozen=True)
class NoiseContext:
    """What a noise model may look at besides the labels.

    Args:
        dataset: facts about the data set (class count, similar classes, superclasses).
        generator: CPU generator of the noise seed, the only source of randomness.
        data_root: folder that may hold files of recorded human labels.
    """

    dataset: DatasetInfo
    generator: Generator
    data_root: Path


NoiseModel = Callable[["Tensor", NoiseContext], "Tensor"]
"""labels int64 [N] on the CPU, context → labels int64 [N]."""

NOISES: Registry[NoiseModel] = Registry(
    "noise kind",
    {
        "none": "trainables.noise.none",
        "symmetric": "trainables.noise.symmetric",
        "asymmetric": "trainables.noise.asymmetric",
        "pair_flip": "trainables.noise.pair_flip",
        "matrix": "trainables.noise.matrix",
        "human": "trainables.noise.human",
    },
    group="orchestrator.noises",
)
