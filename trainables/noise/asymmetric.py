"""Asymmetric noise: a wrong label is the class that the image is easily mistaken for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from trainables.noise import NOISES, NoiseContext
from trainables.noise.stratify import stratified
from trainables.registry import ParameterError, Range

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from trainables.datasets import DatasetInfo


@NOISES.register("asymmetric", revision=2)
@dataclass(frozen=True)
class AsymmetricNoise:
    """With probability `rate`, independently per image, a class turns into its similar class.

    Classes without a similar class keep their labels, so the share of wrong labels is below `rate`
    (half of it for CIFAR-10). The map of similar classes belongs to the data set. At equal seed the
    images replaced at a lower rate are among those replaced at a higher one.

    Args:
        rate: probability of a replacement within the affected classes, [0, 1].
        exact: replace rate · n images of each affected class of n images, rounded, instead of each
            image by its own chance.
        per_run: one draw for the whole run: with probability `rate` every affected class is
            relabelled whole, one after the other in the order of the map (so that a pair that maps
            onto each other merges), else no label changes. This tests one reading of the asymmetric
            half of Table 2 of Staats et al.; it is not what the text describes.
        groups: for data sets with superclasses, where a class turns into the next of its group and
            the last into the first: `superclass` takes the published superclasses, `consecutive`
            blocks of neighbouring class numbers, as several published codes do (for CIFAR-100 five
            neighbours in alphabetical order, which share no superclass).
        sequential: classes are relabelled one after the other, in the order of the map, each by new
            draws among the labels as they are by then, so an image may be relabelled twice. Several
            published codes do so: on CIFAR-10 at rate r a cat stays with probability 1 - r + r²
            instead of 1 - r, and at 0.4 a share of 0.184 of the labels is wrong, not 0.2.

    Raises:
        ParameterError: two of `exact`, `per_run` and `sequential` are asked for.

    Source: Zhang & Sabuncu, Generalized Cross Entropy Loss (NeurIPS 2018), sec. 4; Staats et al.
    (arXiv 2306.05497), sec. 4.
    """

    rate: Annotated[float, Range(0, 1)]
    exact: bool = False
    per_run: bool = False
    groups: Literal["superclass", "consecutive"] = "superclass"
    sequential: bool = False

    def __post_init__(self) -> None:
        asked = [name for name in ("exact", "per_run", "sequential") if getattr(self, name)]
        if len(asked) > 1:
            raise ParameterError(f"'{asked[0]}' and '{asked[1]}' exclude each other", key=asked[0])

    def __call__(self, labels: Tensor, context: NoiseContext) -> Tensor:
        """labels int64 [N] → labels int64 [N]. Raises ParameterError without a class map."""
        import torch

        similar = self._similar_classes(context.dataset)
        if self.per_run:
            is_relabelled = bool(torch.rand(1, generator=context.generator) < self.rate)
            return merge_classes(labels, similar) if is_relabelled else labels
        if self.sequential:
            return self._one_after_the_other(labels, similar, context.generator)
        chances = torch.rand(len(labels), generator=context.generator)
        if self.exact:
            chances = stratified(chances, labels)
        target = torch.arange(context.dataset.num_classes)
        target[list(similar)] = torch.tensor(list(similar.values()))
        return torch.where(chances < self.rate, target[labels], labels)

    def _one_after_the_other(
        self, labels: Tensor, similar: Mapping[int, int], generator: Generator
    ) -> Tensor:
        import torch

        for origin, target in similar.items():
            is_drawn = torch.rand(len(labels), generator=generator) < self.rate
            labels = labels.masked_fill(is_drawn & (labels == origin), target)
        return labels

    def _similar_classes(self, dataset: DatasetInfo) -> Mapping[int, int]:
        if self.groups == "consecutive":
            return next_in_block(dataset)
        if not dataset.similar_classes:
            raise ParameterError(
                f"data set {dataset.name} has no similar classes for asymmetric noise", key="kind"
            )
        return dataset.similar_classes


def merge_classes(labels: Tensor, similar: Mapping[int, int]) -> Tensor:
    """Relabel whole classes one after the other: int64 [N] → int64 [N]."""
    for origin, target in similar.items():
        labels = labels.masked_fill(labels == origin, target)
    return labels


def next_in_block(dataset: DatasetInfo) -> dict[int, int]:
    """Class → next class of its block of neighbours, the last → the first.

    There are as many blocks as superclasses. Raises ParameterError if the data set has none.
    """
    num_blocks = len(set(dataset.superclasses))
    if not num_blocks:
        raise ParameterError(f"data set {dataset.name} has no superclasses", key="groups")
    size = dataset.num_classes // num_blocks
    return {k: k - k % size + (k + 1) % size for k in range(dataset.num_classes)}
