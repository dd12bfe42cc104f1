"""Random image transforms, vectorised: independent draws per image, all drawn ahead of the epoch.

An augmentation draws for every image of an epoch from one CPU generator and is then applied batch
by batch on the device, so the numbers are the same on a CPU and a GPU, resumed or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from trainables.registry import Registry

if TYPE_CHECKING:
    from torch import Generator, Tensor


class Augmentation(Protocol):
    """One random transform."""

    def draw(self, num_images: int, generator: Generator) -> Tensor:
        """Random parameters [num_images, …] for one epoch, on the CPU."""
        ...

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """images uint8 [B, C, H, W], draws [B, …] on the same device → uint8 [B, C, H', W']."""
        ...


AUGMENTATIONS: Registry[Augmentation] = Registry(
    "augmentation", {}, group="orchestrator.augmentations"
)
