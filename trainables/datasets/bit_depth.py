"""From the bit depth of an image file to the 8 bits of every array here: the only home of it.

Pillow clips what is deeper, so that a 16-bit image would become white but for its darkest levels.
Integers of 16 bits are scaled by a fixed factor, never by what one image holds: the same level is
the same everywhere. Of 32-bit integers and floats nobody knows the white level: refused.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from trainables.datasets import DatasetError

TOP, TWELVE_BITS_TOP = 65_535, 4_095
"""White of an image of 16 bits, and of a TIFF of 12, which Pillow opens as one of 16."""

BITS_PER_SAMPLE = 258
"""TIFF's tag of the depth."""

SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")
AS_32_BITS = ("PNG", "PPM")
"""Formats of at most 16 bits that some versions of Pillow open as mode I, scaled to 16 bits."""


def eight_bits(image: Image.Image, origin: Path | str) -> Image.Image:
    """`image` with 8 bits a channel: a 16-bit level v becomes round(v / 257), the rest stays.

    Args:
        image: as Pillow opened it.
        origin: the file, for the message.

    Raises:
        DatasetError: nobody knows which level of such an image is white.
    """
    require_known_depth(image, origin)
    if not _is_deep(image):
        return image
    top = _top(image)
    levels = np.asarray(image).astype(np.uint32)
    return Image.fromarray(((levels * 255 + top // 2) // top).astype(np.uint8))


def require_known_depth(image: Image.Image, origin: Path | str) -> None:
    """Raise DatasetError if `eight_bits` would; decodes nothing."""
    is_wide = image.mode in ("I", "F") or image.mode.startswith("I;")
    if is_wide and not _is_deep(image):
        kind = "floats" if image.mode == "F" else "integers of other than 8 or 16 bits"
        raise DatasetError(
            f"{origin} holds {kind} (mode {image.mode} of Pillow), whose white level is not known; "
            "convert it to 8 or 16 bits"
        )


def _is_deep(image: Image.Image) -> bool:
    """Whether levels run to more than 255 and their white is known."""
    return image.mode in SIXTEEN_BITS or (image.mode == "I" and image.format in AS_32_BITS)


def _top(image: Image.Image) -> int:
    """White of a deep image."""
    bits = getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE)
    return TWELVE_BITS_TOP if bits == (12,) else TOP
