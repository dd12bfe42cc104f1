"""Images in files of their own, too many for any memory: decoded when read, or packed before.

Both ways give the same bytes. An image that cannot be decoded is blank and counted; a file that is
not there is an error.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from trainables.datasets import DatasetError
from trainables.datasets.bit_depth import eight_bits

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Per channel of images scaled to [0, 1], as all networks for large images take them."""

BLANK = 128
"""Level of an image that cannot be decoded."""

Broken = Literal["blank", "stop"]
"""What to make of an image that cannot be decoded."""

Fit = Literal["square", "whole"]
"""What is scaled to the size: the largest square around the centre, or the image as it is."""


@dataclass(frozen=True)
class ImageFiles:
    """uint8 images [N, size, size, 3] that are read one by one.

    Args:
        folder: which the names are relative to.
        names: N file names.
        size: of every image after cutting and scaling.
        on_broken: what to make of an image that cannot be decoded.
        fit: what of each image is scaled.
        rows: int64 [N], where each image lies in `pixels`.
        pixels: packed images uint8 [M, size, size, 3]; None to decode.
        broken: names found to be broken so far.
    """

    folder: Path
    names: Sequence[str]
    size: int
    on_broken: Broken
    fit: Fit
    rows: NDArray[np.int64]
    pixels: NDArray[np.uint8] | None = None
    broken: set[str] = field(default_factory=set)

    @classmethod
    def of(
        cls, folder: Path, names: Sequence[str], size: int, on_broken: Broken, fit: Fit
    ) -> ImageFiles:
        """All images of a list, to be decoded."""
        return cls(folder, names, size, on_broken, fit, np.arange(len(names)))

    def __len__(self) -> int:
        return len(self.names)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (len(self), self.size, self.size, 3)

    def __getitem__(self, chosen: slice | NDArray[np.intp]) -> ImageFiles:
        """Some of the images; nothing is read."""
        positions = np.arange(len(self))[chosen]
        names = [self.names[position] for position in positions]
        return replace(self, names=names, rows=self.rows[chosen])

    def read(self, position: int) -> NDArray[np.uint8]:
        """One image, uint8 [size, size, 3].

        Raises:
            DatasetError: there is no such file, or it is broken and the study says: stop.
        """
        name = self.names[position]
        if self.pixels is None and name not in self.broken:
            image = decode(self.folder / name, self.size, self.fit)
            if image is not None:
                return image
            self.broken.add(name)
        if self.on_broken == "stop" and name in self.broken:
            raise DatasetError(f"{self.folder / name} cannot be decoded, and the study says: stop")
        return blank(self.size) if self.pixels is None else self.pixels[self.rows[position]]

    @property
    def num_broken(self) -> int:
        """Images that were blank when they were read."""
        return sum(name in self.broken for name in self.names)

    def missing(self) -> list[str]:
        """Names without a file."""
        return [name for name in self.names if not (self.folder / name).is_file()]


def blank(size: int) -> NDArray[np.uint8]:
    """What stands for an image that cannot be decoded."""
    return np.full((size, size, 3), BLANK, np.uint8)


def decode(path: Path, size: int, fit: Fit = "square") -> NDArray[np.uint8] | None:
    """uint8 [size, size, 3]: RGB, scaled; None if broken.

    Grey, palette and CMYK images become RGB, transparency is left out, 16 bits become 8
    (`bit_depth`). A JPEG of at least twice the size that is needed is decoded at half of it, a
    quarter, … Raises DatasetError if there is no such file, or nobody knows its white level.
    """
    try:
        with Image.open(path) as image:
            scale = size / min(image.size)
            image.draft(None, (math.ceil(image.width * scale), math.ceil(image.height * scale)))
            levels = eight_bits(image, path)
            pixels = levels if levels.mode == "RGB" else levels.convert("RGB")
            box = _square(*pixels.size) if fit == "square" else (0, 0, *pixels.size)
            return np.array(pixels.resize((size, size), Image.Resampling.BILINEAR, box))
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is in the list and not in the folder") from error
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError):
        return None


def _square(width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the largest square around the centre."""
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side
