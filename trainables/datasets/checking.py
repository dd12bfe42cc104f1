"""What is wrong with a data set that is here, found before anything is trained on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from trainables.config import Choice
from trainables.datasets import DatasetError, load_dataset, locate
from trainables.datasets.bit_depth import require_known_depth
from trainables.datasets.image_files import ImageFiles

LOOKED_AT = 1_000
"""Images of a split whose depth is looked at before training, spread evenly."""

ALWAYS_EIGHT_BITS = (".jpg", ".jpeg", ".webp", ".bmp", ".gif")
"""Endings of formats that need no look."""


def check_data(choice: Choice, data_root: Path) -> None:
    """Raise for a data set that no run could be trained on; nothing to say if it is not all here.

    Decodes what a run would decode and keep, downloads nothing. Of images in files of their own,
    the bit depth of some is looked at.

    Raises:
        DatasetError: a file of a list is missing, the classes of the splits differ, an image has a
            bit depth that cannot be read, …
        ComponentError: no such data set or parameter, or a split has fewer images than asked for.
    """
    if locate(choice, data_root).missing:
        return
    _, arrays = load_dataset(choice, data_root)
    for images in (arrays.train_images, arrays.test_images):
        if isinstance(images, ImageFiles):
            if missing := images.missing():
                raise DatasetError(
                    f"{images.folder / missing[0]} is in the list and not in the folder"
                    + (f", nor are {len(missing) - 1:,} more" if len(missing) > 1 else "")
                )
            for error in unknown_depths(images, _spread(len(images), LOOKED_AT)):
                raise error


def unknown_depths(images: ImageFiles, positions: Sequence[int]) -> Iterator[DatasetError]:
    """An error for each of these images whose white level is not known; only headers are read."""
    for position in positions:
        path = images.folder / images.names[position]
        if path.suffix.lower() in ALWAYS_EIGHT_BITS:
            continue
        try:
            with Image.open(path) as image:
                require_known_depth(image, path)
        except DatasetError as error:
            yield error
        except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError):
            continue  # broken, which is counted when it is read


def _spread(count: int, most: int) -> list[int]:
    """At most so many positions below `count`, evenly."""
    positions: list[int] = np.linspace(0, count - 1, min(count, most)).astype(int).tolist()
    return positions
