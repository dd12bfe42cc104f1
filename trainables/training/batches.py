"""The batches of an epoch: images by position, labels, weights, augmentation.

Augmentation parameters of the whole epoch are drawn beforehand, so that an epoch can begin at any
of its steps.
"""

from __future__ import annotations

from collections.abc import Generator, Hashable, Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from trainables.augment import Augmentation
from trainables.images.source import ImageSource


@dataclass(frozen=True)
class Batch:
    """One step's data.

    Args:
        images: uint8 [S, B, C, H, W].
        given, true: labels trained on and true labels, int64 [S, B].
        weights: float32 [S, B] on the samples' losses; None for 1 throughout.
    """

    images: Tensor
    given: Tensor
    true: Tensor
    weights: Tensor | None

    @property
    def form(self) -> Hashable:
        """Equal for batches that the same kernels take."""
        return self.images.shape, self.weights is None

    def clone(self) -> Batch:
        """The same values in memory of its own."""
        weights = None if self.weights is None else self.weights.clone()
        return Batch(self.images.clone(), self.given.clone(), self.true.clone(), weights)

    def copy_(self, other: Batch) -> None:
        """Take over the values of a batch of the same form."""
        self.images.copy_(other.images)
        self.given.copy_(other.given)
        self.true.copy_(other.true)
        if self.weights is not None and other.weights is not None:
            self.weights.copy_(other.weights)

    def split(self, size: int | None) -> Iterator[Batch]:
        """Parts of at most `size` images a member; itself for None."""
        if size is None:
            yield self
            return
        weights = self.weights
        for start in range(0, self.given.shape[1], size):
            part = slice(start, start + size)
            yield Batch(
                self.images[:, part],
                self.given[:, part],
                self.true[:, part],
                None if weights is None else weights[:, part],
            )


@dataclass(frozen=True)
class TrainingData:
    """What the batches of one epoch are cut from.

    Args:
        images: N images, shared by the members.
        true: int64 [N].
        given: int64 [S, N].
        weights: float32 [S, N]; None for 1 throughout.
        order: int64 [S, N].
        augmentations: each with its draws, [S, N, …] in the order of the batches.
    """

    images: ImageSource
    true: Tensor
    given: Tensor
    weights: Tensor | None
    order: Tensor
    augmentations: Sequence[tuple[Augmentation, Tensor]]

    def batches(self, batch_size: int, first: int = 0) -> Generator[Batch, None, None]:
        """All batches from the `first` on, in order, the last one as short as it comes."""
        starts = range(first * batch_size, self.order.shape[1], batch_size)
        parts = [slice(start, start + batch_size) for start in starts]
        chosen = [self.order[:, part] for part in parts]
        pictures = self.images.batches(positions.flatten() for positions in chosen)
        for part, positions, images in zip(parts, chosen, pictures, strict=True):
            for augmentation, draws in self.augmentations:
                images = augmentation.apply(images, draws[:, part].flatten(0, 1))
            yield Batch(
                images.view(*positions.shape, *images.shape[1:]),
                self.given.gather(1, positions),
                self.true[positions],
                None if self.weights is None else self.weights.gather(1, positions),
            )
