"""Makes the shipped subset from the four original files: the first images of each class, in order.

python -m trainables.datasets.shipped.make_subset FOLDER_WITH_THE_ORIGINAL_GZ_FILES
"""

from __future__ import annotations

import gzip
import hashlib
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.datasets.idx import read_idx

SPLITS = {"train": ("train", 1000), "test": ("t10k", 200)}


def first_of_each_class(labels: NDArray[np.uint8], count: int) -> NDArray[np.intp]:
    """Sorted indices of the first `count` images of each of the ten classes."""
    return np.sort(np.concatenate([np.flatnonzero(labels == k)[:count] for k in range(10)]))


def write_idx(path: Path, values: NDArray[np.uint8]) -> None:
    """IDX file of unsigned bytes, gzipped without a time stamp so that its digest is stable."""
    header = bytes((0, 0, 8, values.ndim)) + np.array(values.shape, ">i4").tobytes()
    path.write_bytes(gzip.compress(header + values.tobytes(), compresslevel=9, mtime=0))


def main(source: Path, target: Path) -> None:
    """Write four files and show their digests."""
    for split, (prefix, count) in SPLITS.items():
        images = read_idx(source / f"{prefix}-images-idx3-ubyte.gz")
        labels = read_idx(source / f"{prefix}-labels-idx1-ubyte.gz")
        chosen = first_of_each_class(labels, count)
        for kind, values in (("images", images[chosen]), ("labels", labels[chosen])):
            path = target / f"{split}-{kind}.idx.gz"
            write_idx(path, values)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            sys.stdout.write(f'    "{path.name}": "{digest}",\n')


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).parent)
