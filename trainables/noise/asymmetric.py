"""Asymmetric noise: a wrong label is the class that the image is easily mistaken for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from trainables.noise import NOISES, NoiseContext
from trainables.registry import ParameterError, Range

if TYPE_CHECKING:
    from torch import Tensor


@NOISES.register("asymmetric")
@dataclass(frozen=True)
class AsymmetricNoise:
    """With probability `rate`, independently per image, a class turns into its similar class.

    Classes without a similar class keep their labels, so the share of wrong labels is below `rate`
    (half of it for CIFAR-10). The map of similar classes belongs to the data set.

    Args:
        rate: probability of a replacement within the affected classes, [0, 1].
        per_run: draw once per run and class transition instead of once per image, so that a class
            is relabelled as a whole or not at all. This tests one reading of the asymmetric half of
            Table 2 of Staats et al.; it is not what the text describes.

    Source: Zhang & Sabuncu 2018, sec. 4; Staats et al. (arXiv 2306.05497), sec. 4.
    """

    rate: Annotated[float, Range(0, 1)]
    per_run: bool = False

    def __call__(self, labels: Tensor, context: NoiseContext) -> Tensor:
        """labels int64 [N] → labels int64 [N]. Raises ParameterError without a class map."""
        import torch

        similar = context.dataset.similar_classes
        if not similar:
            raise ParameterError(
                f"data set {context.dataset.name} has no similar classes for asymmetric noise",
                key="kind",
            )
        target = torch.arange(context.dataset.num_classes)
        target[list(similar)] = torch.tensor(list(similar.values()))
        if self.per_run:
            draws = torch.rand(context.dataset.num_classes, generator=context.generator)[labels]
        else:
            draws = torch.rand(len(labels), generator=context.generator)
        return torch.where(draws < self.rate, target[labels], labels)
