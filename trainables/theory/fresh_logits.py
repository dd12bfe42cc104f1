"""Logits of networks that have not been trained, as the theory of early learning assumes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from trainables.architectures import ARCHITECTURES
from trainables.config import Choice
from trainables.normalization import NORMALIZATIONS
from trainables.seeding import generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from trainables.datasets import DatasetInfo


def fresh_logits(
    architecture: str,
    dataset: DatasetInfo,
    images: NDArray[np.uint8],
    normalization: Choice,
    seeds: Iterable[int],
) -> NDArray[np.float64]:
    """Logits before the first step, in training mode: running statistics are not set yet.

    Args:
        images: uint8 [N, H, W, C], one batch.
        seeds: one network each, with the initial weights of a run of that seed.

    Returns:
        [networks, N, K].
    """
    import torch

    mean, std = NORMALIZATIONS.build(normalization)(dataset)
    shape = (1, len(mean), 1, 1)
    batch = torch.from_numpy(images).permute(0, 3, 1, 2).float().div(255)
    batch = (batch - torch.tensor(mean).reshape(shape)) / torch.tensor(std).reshape(shape)
    build = ARCHITECTURES.build(Choice(architecture))
    found = []
    for seed in seeds:
        network = build(dataset.image_shape, dataset.num_classes, generator(seed, "weights"))
        with torch.no_grad():
            found.append(network.train()(batch).double().numpy())
    return np.stack(found)
