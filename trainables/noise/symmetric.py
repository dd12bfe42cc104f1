"""Symmetric noise: a wrong label is any class, all equally likely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from trainables.noise import NOISES, NoiseContext
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
        include_true_class: whether the random class may be the true one. Without it (default, as in
            the codes of the field) the share of wrong labels is `rate`; with it (the literal text
            of Staats et al. and Wang et al.) it is rate · (1 - 1/K).

    Source: Staats et al. (arXiv 2306.05497), sec. 4; Wang et al. (arXiv 1903.12141), sec. 5.
    """

    rate: Annotated[float, Range(0, 1)]
    include_true_class: bool = False

    def __call__(self, labels: Tensor, context: NoiseContext) -> Tensor:
        """labels int64 [N] → labels int64 [N]."""
        import torch

        num_classes = context.dataset.num_classes
        replaced = torch.rand(len(labels), generator=context.generator) < self.rate
        draws = torch.rand(len(labels), generator=context.generator, dtype=torch.float64)
        if self.include_true_class:
            random_class = (draws * num_classes).long()
        else:
            # A shift of 1 to K - 1 reaches every other class and never the true one.
            random_class = (labels + 1 + (draws * (num_classes - 1)).long()) % num_classes
        return torch.where(replaced, random_class, labels)
