"""What a data set holds, as a digest: two data sets with the same digests give the same numbers.

One digest a split. Knows no place and no time: the same images from another archive, or from a copy
of the folder, have the same digest. The text says what entered it:

    64 digits            images and labels in memory
    listing:64 digits    per image file its name below the split, its label, the SHA-256 of its
                         bytes; in a folder of classes the name begins with the class
    sizes:64 digits      the same with sizes in place of SHA-256, where a split is too large to read
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from numpy.typing import NDArray

from trainables.config import Choice
from trainables.datasets import DATASETS, Dataset, RetrievalSplit, load_dataset
from trainables.datasets.file_state import FileState, state_of
from trainables.datasets.image_files import ImageFiles
from trainables.datasets.remembered import Note, file_digests

READ_WHOLE_BYTES = 8 << 30
"""Image files of a split are read for the digest if they are not larger in all."""


@dataclass(frozen=True)
class ContentDigests:
    """Digest of each split."""

    train: str
    test: str


def data_digests(
    choice: Choice, data_root: Path, *, only_remembered: bool = False
) -> ContentDigests | None:
    """Digests of a data set as `load_dataset` gives it for this choice; None if it is not all here.

    Downloads nothing. Built-in data sets that are whole files are not opened again while these
    files, and the code that reads them, are what they were; of images in files of their own only
    those are read again that changed.

    Args:
        only_remembered: decode nothing; None as well where the digests are not remembered.

    Raises:
        DatasetError: the files are here and are no sound data set.
        ComponentError: no such data set or parameter.
    """
    dataset = DATASETS.build(choice)
    presence = dataset.locate(data_root)
    if presence.missing:
        return None
    try:
        states = [state_of(path) for path in presence.found]
        note = Note(f"data set {DATASETS.resolve(choice)!r} {data_root.resolve()}", data_root)
        origin = _origin(dataset, presence.found, states)
        if origin and (known := _remembered(note.read(), origin)):
            return known
        if only_remembered:
            return None
        _, arrays = load_dataset(choice, data_root)
        digests = ContentDigests(
            split_sha256(arrays.train_images, arrays.train_labels, data_root=data_root),
            split_sha256(
                arrays.test_images, arrays.test_labels, arrays.retrieval, data_root=data_root
            ),
        )
    except FileNotFoundError:
        return None
    if origin and all(state.is_settled for state in states):
        note.write({"origin": origin, **asdict(digests)})
    return digests


def split_sha256(
    images: NDArray[np.uint8] | ImageFiles,
    labels: NDArray[np.int64],
    retrieval: RetrievalSplit | None = None,
    *,
    data_root: Path | None = None,
) -> str:
    """Digest of one split: the only home of it.

    Args:
        images: uint8 [N, H, W, C] of any layout, or N image files.
        labels: int64 [N].
        retrieval: the tracklets of a test split that is ranked.
        data_root: folder of the data sets, where digests of image files are remembered; None reads
            all of them.

    Raises:
        FileNotFoundError: one of the image files is not there any more.
    """
    if isinstance(images, ImageFiles):
        digest = _listing_sha256(images, labels, data_root)
    else:
        digest = array_sha256(images, labels)
    return digest if retrieval is None else _with_tracklets(digest, retrieval)


def array_sha256(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> str:
    """Digest of one split in memory: uint8 [N, H, W, C] of any layout, int64 [N]."""
    digest = hashlib.sha256(f"images {images.shape} labels {labels.shape}".encode())
    digest.update(np.ascontiguousarray(images).data)
    digest.update(np.ascontiguousarray(labels, dtype="<i8").data)
    return digest.hexdigest()


def _listing_sha256(images: ImageFiles, labels: NDArray[np.int64], data_root: Path | None) -> str:
    """Digest of N image files by name, label and content, or size if there is too much of it."""
    states = [state_of(images.folder / name) for name in images.names]
    sizes = [state.size for state in states]
    is_read = sum(sizes) <= READ_WHOLE_BYTES
    contents: Sequence[str | int] = sizes
    if is_read:
        contents = file_digests(images.folder, images.names, states, data_root)
    digest = hashlib.sha256()
    for entry in zip(images.names, labels.tolist(), contents, strict=True):
        digest.update(f"{json.dumps(entry)}\n".encode())
    return f"{'listing' if is_read else 'sizes'}:{digest.hexdigest()}"


def _with_tracklets(digest: str, retrieval: RetrievalSplit) -> str:
    """A digest of images, and of what is asked for among them."""
    kind, separator, digits = digest.rpartition(":")
    whole = hashlib.sha256(digits.encode())
    for array in (retrieval.identities, retrieval.cameras, retrieval.queries):
        whole.update(f" {array.shape} ".encode())
        whole.update(np.ascontiguousarray(array, dtype="<i8").data)
    return f"{kind}{separator}{whole.hexdigest()}"


def _origin(
    dataset: Dataset, found: Sequence[Path], states: Sequence[FileState]
) -> list[Any] | None:
    """All that the arrays follow from; None if that is not known.

    A folder does not change when a file in it does, and a plug-in may read what it does not name.
    """
    is_built_in = type(dataset).__module__.startswith(f"{__package__}.")
    if not is_built_in or not all(path.is_file() for path in found):
        return None
    files = [[str(path.resolve()), *state] for path, state in zip(found, states, strict=True)]
    return [_readers_sha256(), repr(dataset.info), files]


@cache
def _readers_sha256() -> str:
    """Digest of the code that reads data sets: when it changes, the same files may read anew."""
    digest = hashlib.sha256(f"Pillow {PIL.__version__} NumPy {np.__version__}".encode())
    for module in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(module.read_bytes())
    return digest.hexdigest()


def _remembered(note: dict[str, Any], origin: list[Any]) -> ContentDigests | None:
    """The digests in a note, if it is whole and of this origin."""
    train, test = note.get("train"), note.get("test")
    if note.get("origin") != origin or not isinstance(train, str) or not isinstance(test, str):
        return None
    return ContentDigests(train, test)
