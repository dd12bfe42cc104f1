"""Folders of JPEGs → one file of equal uint8 images, written once, memory mapped ever after.

Decoding a million JPEGs every epoch costs more than training on them; packed, an epoch reads plain
bytes by index, and a batch is one gather. Packing can be interrupted and goes on where it stopped.
A broken image is left out and listed; a file that is not there is an error.
"""

from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from trainables.datasets import DatasetError
from trainables.datasets.array_cache import cache_root
from trainables.datasets.file_list import FileList

CHUNK = 512
"""Images between two notes of the progress."""

MARGIN = 8 / 7
"""The shorter side before the centre is cut out, over its size: 256 for 224."""


@dataclass
class Progress:
    """How far packing has come.

    Args:
        num_tried: entries of the list that were looked at.
        num_written: images in the file.
        broken: positions in the list that could not be decoded.
    """

    num_tried: int = 0
    num_written: int = 0
    broken: list[int] = field(default_factory=list)


def packed_images(
    name: str, listed: FileList, folder: Path, size: int, data_root: Path
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images uint8 [M, size, size, 3], memory mapped, and labels int64 [M] of the sound ones.

    Args:
        name: of the data set and split; part of the file's name.
        folder: which the paths of the list are relative to.

    Raises:
        DatasetError: a file is missing, or the packed file cannot be written.
    """
    key = hashlib.sha256(repr((size, listed.paths)).encode()).hexdigest()[:16]
    place = cache_root(data_root) / f"{name}-{size}-{key}"
    try:
        place.mkdir(parents=True, exist_ok=True)
        with FileLock(place / ".lock"):
            progress = _pack(listed, folder, size, place)
    except OSError as error:
        raise DatasetError(
            f"the packed images of {name} cannot be kept in {place} ({error}); "
            "ORCHESTRATOR_CACHE names another folder"
        ) from error
    if not progress.num_written:
        raise DatasetError(f"{folder}: none of {len(listed.paths)} images can be decoded")
    shape = (progress.num_written, size, size, 3)
    # Copy on write: torch wants memory it may write to, the file stays as it is.
    images = np.memmap(place / "images.u8", np.uint8, mode="c", shape=shape)
    return images, np.delete(listed.labels, progress.broken)


def _pack(listed: FileList, folder: Path, size: int, place: Path) -> Progress:
    """Decode what is left, chunk by chunk, each noted once its bytes are on disk."""
    progress = _read_progress(place)
    with ThreadPoolExecutor(os.cpu_count()) as pool, _open(place, progress, size) as file:
        while progress.num_tried < len(listed.paths):
            chunk = listed.paths[progress.num_tried : progress.num_tried + CHUNK]
            images = pool.map(lambda path: decode(folder / path, size), chunk)
            for position, image in enumerate(images, start=progress.num_tried):
                if image is None:
                    progress.broken.append(position)
                else:
                    file.write(image.tobytes())
                    progress.num_written += 1
            file.flush()
            os.fsync(file.fileno())
            progress.num_tried += len(chunk)
            _write_progress(place, progress)
    return progress


def decode(path: Path, size: int) -> NDArray[np.uint8] | None:
    """uint8 [size, size, 3]: RGB, shorter side to size · 8/7, centre cut; None if it is broken.

    Grey, palette and CMYK images become RGB. Raises DatasetError if there is no such file.
    """
    try:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
    except FileNotFoundError as error:
        raise DatasetError(f"{path} is in the list and not in the folder") from error
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, ValueError):
        return None
    scale = round(size * MARGIN) / min(image.size)
    width, height = (max(size, round(side * scale)) for side in image.size)
    resized = image.resize((width, height), Image.Resampling.BILINEAR)
    left, top = (width - size) // 2, (height - size) // 2
    return np.asarray(resized.crop((left, top, left + size, top + size)))


def _open(place: Path, progress: Progress, size: int) -> BinaryIO:
    """The file, cut to what was noted: bytes of an interrupted chunk go."""
    path = place / "images.u8"
    path.touch()
    os.truncate(path, progress.num_written * size * size * 3)
    return path.open("ab")


def _read_progress(place: Path) -> Progress:
    try:
        return Progress(**json.loads((place / "progress.json").read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return Progress()


def _write_progress(place: Path, progress: Progress) -> None:
    aside = place / ".progress.json"
    aside.write_text(json.dumps(asdict(progress)))
    aside.replace(place / "progress.json")
