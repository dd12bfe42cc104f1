"""Image files → one file of equal uint8 images, written once, memory mapped ever after.

Worth its room where many epochs are trained: a packed image is a copy of bytes, a JPEG a
millisecond or two of a core. Packing can be interrupted and goes on where it stopped. Packed images
stand for their files only as long as these have the sizes and times that they had.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from filelock import FileLock

from trainables.datasets import DatasetError
from trainables.datasets.array_cache import cache_root
from trainables.datasets.file_list import FileList
from trainables.datasets.file_state import state_of
from trainables.datasets.image_files import Broken, Fit, ImageFiles, blank, decode

PACKED_VERSION = 2
"""Raised when the same files are decoded to other bytes."""

CHUNK = 512
"""Images between two notes of the progress."""


@dataclass
class Progress:
    """How far packing has come.

    Args:
        num_done: images in the file, the first ones of the list.
        broken: names of those that could not be decoded; they are blank.
        sources: digest of the state of all files when packing began.
    """

    num_done: int = 0
    broken: list[str] = field(default_factory=list)
    sources: str = ""


def image_files(
    folder: Path,
    listed: FileList,
    size: int,
    on_broken: Broken,
    data_root: Path,
    *,
    fit: Fit = "square",
) -> ImageFiles:
    """The images of a list, from their packed file if there is a complete one."""
    files = ImageFiles.of(folder, listed.paths, size, on_broken, fit)
    place = _place(files, data_root)
    progress = _read_progress(place)
    if progress.num_done < len(files) or progress.sources != _sources(files):
        return files
    pixels = np.memmap(place / "images.u8", np.uint8, mode="r", shape=files.shape)
    return replace(files, pixels=pixels, broken=set(progress.broken))


def pack(files: ImageFiles, data_root: Path) -> Iterator[int]:
    """Decode what is not packed yet, chunk by chunk, each noted once its bytes are on disk.

    Yields:
        How many images are done.

    Raises:
        DatasetError: a file is missing, or the packed file cannot be written.
    """
    place = _place(files, data_root)
    try:
        place.mkdir(parents=True, exist_ok=True)
        with FileLock(place / ".lock"):
            yield from _pack(files, place)
    except OSError as error:
        raise DatasetError(
            f"packed images cannot be kept in {place} ({error}); "
            "ORCHESTRATOR_CACHE names another folder"
        ) from error


def packed_bytes(files: ImageFiles) -> int:
    """Size of the packed file."""
    return int(np.prod(files.shape))


def _pack(files: ImageFiles, place: Path) -> Iterator[int]:
    progress, sources = _read_progress(place), _sources(files)
    if progress.sources != sources:  # a file was replaced since: none of it counts
        progress = Progress(sources=sources)
    with ThreadPoolExecutor(os.cpu_count()) as pool, _open(place, progress, files.size) as file:
        while progress.num_done < len(files):
            names = files.names[progress.num_done : progress.num_done + CHUNK]
            _write(file, files, names, pool, progress)
            file.flush()
            os.fsync(file.fileno())
            progress.num_done += len(names)
            _write_progress(place, progress)
            yield progress.num_done


def _write(
    file: BinaryIO,
    files: ImageFiles,
    names: Sequence[str],
    pool: ThreadPoolExecutor,
    progress: Progress,
) -> None:
    images = pool.map(lambda name: decode(files.folder / name, files.size, files.fit), names)
    for name, image in zip(names, images, strict=True):
        if image is None:
            progress.broken.append(name)
        file.write((blank(files.size) if image is None else image).tobytes())


def _place(files: ImageFiles, data_root: Path) -> Path:
    """Folder of the packed form of just these images in this order."""
    digest = hashlib.sha256(repr((files.folder.name, files.size, files.fit)).encode())
    for name in files.names:
        digest.update(name.encode() + b"\n")
    return cache_root(data_root) / f"packed-{files.size}-{digest.hexdigest()[:16]}"


def _sources(files: ImageFiles) -> str:
    """Digest of the state of all files, by which a replaced image is seen.

    Only what a copy of the folder keeps enters it, so that packed images may be copied too. A file
    that is missing has a state of its own.
    """
    digest = hashlib.sha256(f"{PACKED_VERSION}".encode())
    for name in files.names:
        try:
            state = state_of(files.folder / name)
            digest.update(f" {state.size} {state.mtime_ns}".encode())
        except FileNotFoundError:
            digest.update(b" missing")
    return digest.hexdigest()


def _open(place: Path, progress: Progress, size: int) -> BinaryIO:
    """The file, cut to what was noted: bytes of an interrupted chunk go."""
    path = place / "images.u8"
    path.touch()
    os.truncate(path, progress.num_done * size * size * 3)
    return path.open("ab")


def _read_progress(place: Path) -> Progress:
    try:
        return Progress(**json.loads((place / "progress.json").read_text()))
    except (OSError, ValueError, TypeError):
        return Progress()


def _write_progress(place: Path, progress: Progress) -> None:
    aside = place / ".progress.json"
    aside.write_text(json.dumps(asdict(progress)))
    aside.replace(place / "progress.json")
