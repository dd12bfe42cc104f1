"""Symmetric noise: a wrong label is any class, all equally likely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from trainables.noise import NOISES, NoiseContext
from trainables.noise.stratify import stratified
from trainables.registry import Range

if TYPE_CHECKING:
    from torch import Tensor


@NOISES.register("symmetric")
@dataclass(frozen=True)
class SymmetricNoise:
    """With probability `rate`, independently per image, the label is replaced by a random class.

    At equal seed the images replaced at a lower rate are among those replaced at a higher one, so
    noise rates are compared on nested sets.

    Args:
        rate: probability of a replacement, [0, 1].
        include_true_class: whether the random class may be the true one. Excluded by default, as in
            the published codes: then the share of wrong labels is the rate that a table quotes.
            Included (the literal text of both papers) it is rate · (1 - 1/K), 0.54 instead of 0.6
            for ten classes.
        exact: replace rate · n images of each class of n images, rounded, instead of each image by
            its own chance. Off by default: a count that varies is what the papers describe.

    Source: Staats et al. (arXiv 2306.05497), sec. 4; Wang et al. (arXiv 1903.12141), sec. 5.
    """

    rate: Annotated[float, Range(0, 1)]
    include_true_class: bool = False
    exact: bool = False

    def __call__(self, labels: Tensor, context: NoiseContext) -> Tensor:
        """labels int64 [N] → labels int64 [N]."""
        import torch

        num_classes = context.dataset.num_classes
        chances = torch.rand(len(labels), generator=context.generator)
        draws = torch.rand(len(labels), generator=context.generator, dtype=torch.float64)
        if self.exact:
            chances = stratified(chances, labels)
        if self.include_true_class:
            random_class = (draws * num_classes).long()
        else:
            # A shift of 1 to K - 1 reaches every other class and never the true one.
            random_class = (labels + 1 + (draws * (num_classes - 1)).long()) % num_classes
        return torch.where(chances < self.rate, random_class, labels)
