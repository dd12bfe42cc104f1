"""Random image transforms, vectorised: independent draws per image, all drawn ahead of the epoch.

An augmentation draws for every image of an epoch from one CPU generator and is then applied batch
by batch on the device, so the numbers are the same on a CPU and a GPU, resumed or not. Images stay
uint8, so that padding is black before normalisation, as in the loops of the field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, Protocol

from trainables.registry import ParameterError, Range, Registry

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


@AUGMENTATIONS.register("rotation", revision=2)
@dataclass(frozen=True)
class Rotation:
    """Rotate by a random angle around the centre; nearest pixel, black outside.

    Source pixels are found in the 16-bit fixed-point arithmetic of Pillow, so an image turns into
    what torchvision's `RandomRotation` makes of a Pillow image at that angle, bit for bit, and into
    the same on every device.

    Args:
        degrees: largest angle, uniform in [-degrees, degrees].
    """

    degrees: Annotated[float, Range(0, 180, low_open=True)]

    def draw(self, num_images: int, generator: Generator) -> Tensor:
        """float64 [N, 2]: cosine and sine of the angle, counter-clockwise."""
        import torch

        uniform = torch.rand(num_images, generator=generator, dtype=torch.float64) * 2 - 1
        angles = (uniform * self.degrees).deg2rad()
        return torch.stack([angles.cos(), angles.sin()], dim=1)

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """One gather of the pixel that each target pixel comes from."""
        import torch

        height, width = images.shape[-2:]
        rows, columns = _rotated_places(draws, height, width)
        is_inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        source = torch.where(is_inside, rows * width + columns, 0).long().flatten(1)
        pixels = images.flatten(2)
        turned: Tensor = pixels.gather(2, source[:, None].expand_as(pixels)).view_as(images)
        return turned * is_inside[:, None]


@AUGMENTATIONS.register("random_crop")
@dataclass(frozen=True)
class RandomCrop:
    """Cut a smaller square out at a random place; training images have that size.

    Args:
        size: height and width of the square, at most those of the images.
        test: what the network sees of a test image: the `centre` of that size (default), or the
            `whole` image, which needs a network that averages over places, as ResNets do.
    """

    size: Annotated[int, Range(1)]
    test: Literal["centre", "whole"] = "centre"

    def draw(self, num_images: int, generator: Generator) -> Tensor:
        """float64 [N, 2]: how far down and to the right, [0, 1)."""
        import torch

        return torch.rand(num_images, 2, generator=generator, dtype=torch.float64)

    def apply(self, images: Tensor, draws: Tensor) -> Tensor:
        """uint8 [B, C, H, W] → [B, C, size, size]."""
        import torch

        windows = images.unfold(2, self.size, 1).unfold(3, self.size, 1)
        # One by one: a tensor made of both numbers would wait for the device.
        top, left = ((draws[:, axis] * windows.shape[2 + axis]).long() for axis in (0, 1))
        return windows[torch.arange(len(images), device=images.device), :, top, left]

    def centre(self, images: Tensor) -> Tensor:
        """uint8 [B, C, H, W] → [B, C, size, size], or as they are: what is seen of test images."""
        if self.test == "whole":
            return images
        top, left = ((extent - self.size) // 2 for extent in images.shape[-2:])
        return images[..., top : top + self.size, left : left + self.size]


def input_shape(
    image_shape: tuple[int, int, int], augmentations: Sequence[Augmentation]
) -> tuple[int, int, int]:
    """(C, H, W) of what the network sees. Raises ParameterError for a crop larger than an image."""
    channels, height, width = image_shape
    for augmentation in augmentations:
        if isinstance(augmentation, RandomCrop):
            if augmentation.size > min(height, width):
                raise ParameterError(
                    f"a crop of {augmentation.size} does not fit into {height} × {width} pixels",
                    key="augmentation",
                )
            height = width = augmentation.size
    return channels, height, width


def centred(images: Tensor, augmentations: Sequence[Augmentation]) -> Tensor:
    """Test images as the network sees them: uint8 [B, C, H, W] → [B, C, H', W']."""
    for augmentation in augmentations:
        if isinstance(augmentation, RandomCrop):
            images = augmentation.centre(images)
    return images


FRACTION_BITS = 16


def _rotated_places(draws: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Where each target pixel comes from: cosine and sine [B, 2] → rows, columns int32 [B, H, W].

    The rotation turns pixel centres (x + ½, y + ½) around the image's centre (W/2, H/2).
    """
    import torch

    cosine, sine = draws[:, :, None, None].unbind(1)
    middle_x, middle_y = (1 - width) / 2, (1 - height) / 2
    first_column = _fixed_point(width / 2 + cosine * middle_x - sine * middle_y)
    first_row = _fixed_point(height / 2 + sine * middle_x + cosine * middle_y)
    along, across = _fixed_point(cosine), _fixed_point(sine)
    x = torch.arange(width, dtype=torch.int32, device=draws.device)
    y = torch.arange(height, dtype=torch.int32, device=draws.device)[:, None]
    columns = first_column + along * x - across * y
    rows = first_row + across * x + along * y
    return rows >> FRACTION_BITS, columns >> FRACTION_BITS


def _fixed_point(values: Tensor) -> Tensor:
    """The nearest multiple of 2^-16, as int32 multiples."""
    multiples: Tensor = values * 2**FRACTION_BITS
    return (multiples + 0.5).floor().int()
