"""Random image transforms, vectorised: independent draws per image, all drawn ahead of the epoch.

An augmentation draws for every image of an epoch from one CPU generator and is then applied batch
by batch on the device, so the numbers are the same on a CPU and a GPU, resumed or not. Images stay
uint8, so that padding is black before normalisation, as in the loops of the field.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Protocol

from trainables.registry import Range, Registry

if TYPE_CHECKING:
    from torch import Generator, Tensor


class Augmentation(Protocol):
    """One random transform."""

    def draw(self, num_images: int, generator: Generator) -> Tensor:
        """Random parameters [num_images, …] for one epoch, on the CPU."""
        ...

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """images uint8 [B, C, H, W], draws [B, …] on the same device → uint8 [B, C, H, W]."""
        ...


AUGMENTATIONS: Registry[Augmentation] = Registry(
    "augmentation", {}, group="orchestrator.augmentations"
)


@AUGMENTATIONS.register("flip")
@dataclass(frozen=True)
class HorizontalFlip:
    """Mirror left and right with probability 1/2."""

    def draw(self, num_images: int, generator: Generator) -> Tensor:
        """bool [N]."""
        import torch

        return torch.rand(num_images, generator=generator) < 0.5

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """Flip those images whose draw is true."""
        import torch

        return torch.where(draws[:, None, None, None], images.flip(-1), images)


@AUGMENTATIONS.register("crop")
@dataclass(frozen=True)
class PaddedCrop:
    """Pad with black on all sides, then cut the original size out at a random place.

    Args:
        padding: pixels on each side, default 4.
    """

    padding: Annotated[int, Range(1)] = 4

    def draw(self, num_images: int, generator: Generator) -> Tensor:
        """int64 [N, 2]: top and left offset, each 0 to 2 · padding."""
        import torch

        return torch.randint(2 * self.padding + 1, (num_images, 2), generator=generator)

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """One gather of rows and columns out of the padded images."""
        import torch

        batch, _, height, width = images.shape
        padded = torch.nn.functional.pad(images, (self.padding,) * 4)
        # A view of all windows [B, C, offsets, offsets, H, W]; indexing copies one window each.
        windows = padded.unfold(2, height, 1).unfold(3, width, 1)
        chosen = torch.arange(batch, device=images.device)
        return windows[chosen, :, draws[:, 0], draws[:, 1]]


@AUGMENTATIONS.register("rotation")
@dataclass(frozen=True)
class Rotation:
    """Rotate by a random angle around the centre; nearest pixel, black outside.

    Args:
        degrees: largest angle, uniform in [-degrees, degrees].
    """

    degrees: Annotated[float, Range(0, 180, low_open=True)]

    def draw(self, num_images: int, generator: Generator) -> Tensor:
        """float32 [N]: angle in radians."""
        import torch

        uniform = torch.rand(num_images, generator=generator) * 2 - 1
        return (uniform * self.degrees).deg2rad()

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """Sample each target pixel from where the rotation puts it."""
        import torch

        cosine, sine, zero = draws.cos(), draws.sin(), torch.zeros_like(draws)
        ratio = images.shape[-2] / images.shape[-1]
        rows = torch.stack([cosine, -sine * ratio, zero, sine / ratio, cosine, zero], dim=1)
        grid = torch.nn.functional.affine_grid(
            rows.view(-1, 2, 3), list(images.shape), align_corners=False
        )
        turned = torch.nn.functional.grid_sample(
            images.float(), grid, mode="nearest", align_corners=False
        )
        return turned.to(images.dtype)
