"""Data sets that no run could be trained on are found before one is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.trainables.datasets.layouts import write_class_folders, write_webvision
from trainables.config import Choice
from trainables.datasets import DatasetError, checking, load_dataset
from trainables.datasets.checking import check_data, unknown_depths
from trainables.registry import ParameterError

FOLDER = Choice.of("folder", path="mine", num_classes=3, size=32)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_CACHE", str(tmp_path / "cache"))


def float_image(path: Path) -> None:
    Image.fromarray(np.zeros((8, 8), np.float32)).save(path)


def test_sound_data_and_data_that_are_elsewhere_pass(tmp_path: Path) -> None:
    check_data(FOLDER, tmp_path)
    write_class_folders(tmp_path)
    check_data(FOLDER, tmp_path)
    check_data(Choice("cifar10"), tmp_path)
    check_data(Choice.of("synthetic", images=20), tmp_path)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "val" / "dog").mkdir(), "only val has dog"),
        (lambda folder: float_image(folder / "val" / "ant" / "x.tif"), r"x\.tif holds floats"),
    ],
)
def test_a_spoilt_folder_is_one_line(
    tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    spoil(write_class_folders(tmp_path))
    with pytest.raises(DatasetError, match=words) as caught:
        check_data(FOLDER, tmp_path)
    assert "\n" not in str(caught.value)


def test_a_listed_image_that_is_not_there(tmp_path: Path) -> None:
    folder = write_webvision(tmp_path)
    for index in (4, 5):
        (folder / f"google/q{index % 3:04d}/image {index}.jpg").unlink()
    with pytest.raises(DatasetError, match=r"image 4\.jpg is in the list .*, nor are 1 more"):
        check_data(Choice("webvision"), tmp_path)


def test_more_images_than_there_are(tmp_path: Path) -> None:
    write_class_folders(tmp_path)
    with pytest.raises(ParameterError, match="12 images"):
        check_data(FOLDER.replace(train_size=13), tmp_path)


def test_a_broken_image_is_no_matter_of_depth(tmp_path: Path) -> None:
    folder = write_class_folders(tmp_path)
    (folder / "train" / "ant" / "9.tif").write_bytes(b"no image")
    check_data(FOLDER, tmp_path)


def test_only_some_of_many_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "LOOKED_AT", 3)
    folder = write_class_folders(tmp_path)
    for index in range(5, 9):
        float_image(folder / "train" / "bee" / f"{index}.tif")
    files = load_dataset(FOLDER, tmp_path)[1].train_images
    assert checking._spread(16, 3) == [0, 7, 15]
    assert len(list(unknown_depths(files, range(len(files))))) == 4
