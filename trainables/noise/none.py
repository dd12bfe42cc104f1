"""True labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trainables.noise import NOISES, NoiseContext

if TYPE_CHECKING:
    from torch import Tensor


@NOISES.register("none")
@dataclass(frozen=True)
class NoNoise:
    """Every label stays as it is."""

    def __call__(self, labels: Tensor, context: NoiseContext) -> Tensor:
        """labels int64 [N] → the same labels."""
        del context
        return labels
