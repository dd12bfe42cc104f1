"""Draws evened out within each class, so that a rate becomes an exact number of images."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def stratified(draws: Tensor, labels: Tensor) -> Tensor:
    """The draws of each class replaced by 1/2n, 3/2n, … (2n - 1)/2n in the same order.

    Fewer than p of them: p · n images of each class of n images, rounded. Which images these are is
    as random as the draws, and those below a lower p are among those below a higher one.

    Args:
        draws: [N] in [0, 1).
        labels: int64 [N], the class of each image.

    Returns:
        float64 [N] in (0, 1).
    """
    import torch

    ascending = draws.argsort(stable=True)
    by_class = ascending[labels[ascending].argsort(stable=True)]
    sizes = labels.bincount()
    first_of_class = sizes.cumsum(0) - sizes
    sorted_labels = labels[by_class]
    rank = torch.arange(len(labels)) - first_of_class[sorted_labels]
    even = torch.empty(len(labels), dtype=torch.float64)
    even[by_class] = (rank.double() + 0.5) / sizes[sorted_labels]
    return even
