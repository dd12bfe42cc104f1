"""Pair flips: a wrong label is the next class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from trainables.noise import NOISES, NoiseContext
from trainables.noise.stratify import stratified
from trainables.registry import Range

if TYPE_CHECKING:
    from torch import Tensor


@NOISES.register("pair_flip")
@dataclass(frozen=True)
class PairFlipNoise:
    """With probability `rate`, independently per image, class i turns into i + 1, the last into 0.

    At equal seed the images replaced at a lower rate are among those replaced at a higher one.

    Args:
        rate: probability of a replacement, [0, 1]; papers mostly use 0.45.
        exact: replace rate · n images of each class of n images, rounded, instead of each image by
            its own chance.

    Source: Han et al., Co-teaching (arXiv 1804.06872), sec. 4.
    """

    rate: Annotated[float, Range(0, 1)]
    exact: bool = False

    def __call__(self, labels: Tensor, context: NoiseContext) -> Tensor:
        """labels int64 [N] → labels int64 [N]."""
        import torch

        chances = torch.rand(len(labels), generator=context.generator)
        if self.exact:
            chances = stratified(chances, labels)
        following = (labels + 1) % context.dataset.num_classes
        return torch.where(chances < self.rate, following, labels)
