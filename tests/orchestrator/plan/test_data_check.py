"""Data sets that no cell could be trained on are found before anything is trained."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from orchestrator.plan.data_check import check_datasets
from trainables import components
from trainables.datasets import DatasetError

FOLDER = {"name": "folder", "path": "mine", "num_classes": 2, "size": 8}


def images(root: Path, *classes: str) -> None:
    for name in classes:
        (root / name).mkdir(parents=True)
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(root / name / "0.png")


@pytest.fixture
def asked(cells):
    """One cell that is trained on a folder of images."""
    (found, *_) = cells("grid: {loss: [CE]}\n")
    config = dataclasses.replace(
        found.cell.config, dataset=components._read_choice("dataset", FOLDER)
    )
    return [dataclasses.replace(found.cell, config=components.resolve(config))]


def test_class_folders_that_differ_are_told(asked, tmp_path: Path) -> None:
    images(tmp_path / "mine" / "train", "ant", "bee")
    images(tmp_path / "mine" / "test", "ant", "Bee")
    for only_own in (False, True):
        with pytest.raises(DatasetError, match="only train has bee"):
            check_datasets(asked, tmp_path, only_own=only_own)


def test_sound_and_absent_data_say_nothing(asked, tmp_path: Path) -> None:
    check_datasets(asked, tmp_path)
    images(tmp_path / "mine" / "train", "ant", "bee")
    images(tmp_path / "mine" / "test", "ant", "bee")
    check_datasets(asked, tmp_path)
