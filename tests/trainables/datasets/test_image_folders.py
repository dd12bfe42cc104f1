"""Clothing1M's lists, and one folder per class."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trainables.datasets.layouts import write_class_folders, write_clothing1m
from trainables import resident
from trainables.catalog import build_config
from trainables.config import Choice
from trainables.datasets import DatasetError, load_dataset
from trainables.registry import ParameterError
from trainables.train import train

FACTS: dict[str, object] = {"name": "folder", "path": "mine", "num_classes": 3, "size": 32}
FOLDER = Choice.of("folder", {"path": "mine", "num_classes": 3, "size": 32})


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_CACHE", str(tmp_path / "cache"))
    resident.resident_data.cache_clear()


def test_clothing_parts_have_their_own_labels(tmp_path: Path) -> None:
    write_clothing1m(tmp_path)
    _, noisy = load_dataset(Choice("clothing1m"), tmp_path)
    assert noisy.train_labels.tolist() == [index % 14 for index in range(20)]
    assert noisy.test_labels.tolist() == [index % 14 for index in range(38, 44)]
    choice = Choice.of("clothing1m", {"train": "clean", "test": "validation"})
    _, clean = load_dataset(choice, tmp_path)
    assert clean.train_labels.tolist() == [index % 14 for index in range(20, 34)]
    assert clean.test_labels.tolist() == [index % 14 for index in range(34, 38)]


def test_a_key_without_a_label_is_named(tmp_path: Path) -> None:
    folder = write_clothing1m(tmp_path)
    with (folder / "clean_test_key_list.txt").open("a") as file:
        file.write("images/9/99/unknown.jpg\n")
    with pytest.raises(DatasetError, match=r"images/9/99/unknown\.jpg, which has no label"):
        load_dataset(Choice("clothing1m"), tmp_path)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"noisy_train_key_list\.txt.*has to be asked for"):
        load_dataset(Choice("clothing1m"), tmp_path)
    with pytest.raises(DatasetError, match="train/CLASS/IMAGE"):
        load_dataset(FOLDER, tmp_path)


def test_classes_are_the_folders_in_order(tmp_path: Path) -> None:
    write_class_folders(tmp_path)
    info, arrays = load_dataset(FOLDER, tmp_path)
    assert info.image_shape == (3, 32, 32)
    assert arrays.train_labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert arrays.test_images.shape == (12, 32, 32, 3)


def test_another_number_of_folders_is_an_error(tmp_path: Path) -> None:
    (write_class_folders(tmp_path) / "val" / "dog").mkdir()
    with pytest.raises(DatasetError, match="val has 4 folders of classes, num_classes is 3"):
        load_dataset(FOLDER, tmp_path)


def test_no_folder_outside_the_data_root() -> None:
    with pytest.raises(ParameterError, match="below the data root"):
        load_dataset(Choice.of("folder", {"path": "../mine", "num_classes": 3}), Path())


@pytest.mark.parametrize("dataset", [{"name": "clothing1m"}, FACTS], ids=["clothing1m", "folder"])
def test_a_run_from_files_ends(tmp_path: Path, dataset: dict[str, object]) -> None:
    write_clothing1m(tmp_path)
    write_class_folders(tmp_path)
    config = build_config(
        {
            "dataset": dataset,
            "architecture": {"name": "mlp", "hidden": [4]},
            "loss": "ce",
            "learning_rate": 0.01,
            "epochs": 1,
            "batch_size": 8,
        }
    )
    result = train(config, data_root=tmp_path, device="cpu")
    assert result.num_broken_images == (dataset["name"] == "clothing1m")
