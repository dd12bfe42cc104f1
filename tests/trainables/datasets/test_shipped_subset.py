"""The subset of Fashion-MNIST inside the package."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from trainables.config import Choice
from trainables.datasets import DatasetError, fashion_subset, load_dataset
from trainables.datasets.fashion_subset import SHA256
from trainables.datasets.idx import read_idx
from trainables.datasets.shipped import make_subset

SHIPPED = Path(str(files("trainables.datasets") / "shipped"))


def test_it_loads_without_a_data_root_and_is_stratified(tmp_path: Path) -> None:
    info, arrays = load_dataset(Choice("fashion-mnist-small"), tmp_path / "nothing here")
    assert info.name == "fashion-mnist-small"
    assert arrays.train_images.shape == (10_000, 28, 28, 1)
    assert arrays.test_images.shape == (2_000, 28, 28, 1)
    assert list(np.bincount(arrays.train_labels)) == [1000] * 10
    assert list(np.bincount(arrays.test_labels)) == [200] * 10


def test_it_has_the_statistics_of_the_whole_set_closely() -> None:
    info, arrays = load_dataset(Choice("fashion-mnist-small"), Path())
    scaled = arrays.train_images / 255
    assert scaled.mean() == pytest.approx(info.mean[0], abs=0.005)
    assert scaled.std() == pytest.approx(info.std[0], abs=0.005)


def test_the_licence_and_the_origin_come_with_it() -> None:
    assert "Zalando SE" in (SHIPPED / "LICENSE").read_text()
    assert "arXiv 1708.07747" in (SHIPPED / "README.md").read_text()


def test_readme_lists_the_digests() -> None:
    readme = (SHIPPED / "README.md").read_text()
    assert all(digest in readme for digest in SHA256.values())


def test_it_is_a_few_megabytes() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 6e6


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    damaged = tmp_path / "test-labels.idx.gz"
    content = bytearray((SHIPPED / damaged.name).read_bytes())
    content[100] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(DatasetError, match="install the package again"):
        fashion_subset._checked(damaged)


@pytest.mark.slow
@pytest.mark.skipif("ORCHESTRATOR_DATA" not in os.environ, reason="needs the original files")
def test_the_script_makes_this_very_subset(tmp_path: Path) -> None:
    make_subset.main(Path(os.environ["ORCHESTRATOR_DATA"]) / "fashion-mnist", tmp_path)
    for name in SHA256:
        # The packed bytes may differ with the version of zlib, the images may not.
        np.testing.assert_array_equal(read_idx(tmp_path / name), read_idx(SHIPPED / name))
