"""The subset of Fashion-MNIST that comes with the package, for a first study without a download."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path

from trainables.datasets import DATASETS, DatasetError, ImageArrays, Presence
from trainables.datasets.idx import read_idx
from trainables.datasets.mnist import FASHION_MNIST, as_image_arrays

SHA256 = {
    "train-images.idx.gz": "fb5d76be9a26fa809a3b13c18f7191e33c2115c6e377baf29656711358a51b1d",
    "train-labels.idx.gz": "4cc57b2814542612de157ac954fec39e17b40ac7cc646602198dc0f4c7c97fc9",
    "test-images.idx.gz": "f63b5f3a005caedab708d16a900babd905c8331b1cd2188b91245c032cfe6acd",
    "test-labels.idx.gz": "09f5dc909c8586184bae0fbde44202a1b007bf6f2bd2bc952652fa22dc323f95",
}


@DATASETS.register("fashion-mnist-small")
class ShippedFashionMNIST:
    """10,000 training and 2,000 test images of Fashion-MNIST, 1,000 and 200 of each class.

    Source: Xiao, Rasul & Vollgraf, Fashion-MNIST (arXiv 1708.07747), MIT licence.
    """

    info = replace(
        FASHION_MNIST,
        name="fashion-mnist-small",
        num_train=10_000,
        num_test=2_000,
        origin="shipped",
    )

    def load(self, data_root: Path) -> ImageArrays:
        """Read from the package; `data_root` is not needed."""
        del data_root
        with as_file(files("trainables.datasets") / "shipped") as folder:
            return as_image_arrays([read_idx(_checked(folder / name)) for name in SHA256])

    def locate(self, data_root: Path) -> Presence:
        """Needs no files but the package's own."""
        del data_root
        return Presence()


def _checked(path: Path) -> Path:
    """`path`, if its content is what was shipped. Raises DatasetError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read ({error}); install the package again") from error
    if hashlib.sha256(content).hexdigest() != SHA256[path.name]:
        raise DatasetError(f"{path} is damaged; install the package again")
    return path
