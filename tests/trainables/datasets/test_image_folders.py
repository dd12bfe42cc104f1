"""Clothing1M's lists, and one folder per class."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.trainables.datasets.layouts import write_class_folders, write_clothing1m
from trainables.components import build_config
from trainables.config import Choice
from trainables.datasets import DatasetError, dataset_info, load_dataset
from trainables.datasets.image_files import decode
from trainables.datasets.packing import pack
from trainables.images import resident
from trainables.registry import ParameterError
from trainables.training.train import train

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
    assert info.class_names == ("ant", "bee", "cat")
    assert arrays.train_labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert arrays.test_images.shape == (12, 32, 32, 3)


def test_another_number_of_folders_is_an_error(tmp_path: Path) -> None:
    (write_class_folders(tmp_path) / "train" / "dog").mkdir()
    words = r"train has 4 folders of classes \(ant, bee, cat, dog\), num_classes is 3"
    with pytest.raises(DatasetError, match=words):
        load_dataset(FOLDER, tmp_path)


def renamed(folder: Path, changes: dict[str, str | None]) -> None:
    """Rename, remove (None) or add (from nothing) folders of the test split."""
    for name, other in changes.items():
        if other is None:
            shutil.rmtree(folder / "val" / name)
        elif (folder / "val" / name).is_dir():
            (folder / "val" / name).rename(folder / "val" / other)
        else:
            shutil.copytree(folder / "val" / "cat", folder / "val" / other)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"cat": "Cat"},
            r"only train has cat \(val has Cat\), and only val has Cat \(train has cat",
        ),
        ({"ant": "emu"}, "only train has ant, and only val has emu$"),
        ({"new": "dog"}, "only val has dog$"),
        ({"ant": None}, "only train has ant$"),
        ({"bee": "bees"}, r"only train has bee \(val has bees\)"),
    ],
)
def test_both_splits_have_the_same_classes(
    tmp_path: Path, changes: dict[str, str | None], words: str
) -> None:
    folder = write_class_folders(tmp_path)
    renamed(folder, changes)
    with pytest.raises(DatasetError, match=f"{folder}: both splits must have the same.*{words}"):
        load_dataset(FOLDER, tmp_path)


def test_a_class_without_an_image_is_an_error(tmp_path: Path) -> None:
    folder = write_class_folders(tmp_path)
    for path in (folder / "train" / "bee").glob("*.jpg"):
        path.rename(path.with_suffix(".dat"))
    with pytest.raises(DatasetError, match=r"train has no image in the folder of bee; .*\.jpeg"):
        load_dataset(FOLDER, tmp_path)


def test_what_is_hidden_is_no_class_and_no_image(tmp_path: Path) -> None:
    folder = write_class_folders(tmp_path)
    _, before = load_dataset(FOLDER, tmp_path)
    (folder / "train" / ".ipynb_checkpoints").mkdir()
    shutil.copytree(folder / "train" / "ant", folder / "train" / "ant" / ".thumbnails")
    (folder / "train" / "ant" / "._0.jpg").write_bytes(b"no image")
    shutil.copytree(folder / "train" / "bee", folder / "train" / "ant" / "nested")
    _, after = load_dataset(FOLDER, tmp_path)
    nested = [name for name in after.train_images.names if "nested" in name]
    assert nested == [f"ant/nested/{index}.jpg" for index in range(4)]
    assert len(after.train_images) == len(before.train_images) + 4


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (FOLDER, False),
        (FOLDER.replace(labels_are_true=True), True),
        (Choice("webvision"), False),
        (Choice("mars"), False),
        (Choice("clothing1m"), False),
        (Choice.of("clothing1m", train="clean"), True),
        (Choice.of("synthetic", like="clothing1m"), True),
        (Choice.of("parquet", path="mine", num_classes=3, image_shape=(1, 8, 8)), False),
        (Choice.of("parquet", path="mine", like="cifar100"), True),
        (Choice.of("parquet", path="mine", like="webvision"), False),
        (Choice.of("parquet", path="mine", like="cifar100", labels_are_true=False), False),
        (Choice("cifar10"), True),
    ],
)
def test_whose_labels_are_known_to_be_true(choice: Choice, expected: bool) -> None:
    assert dataset_info(choice).labels_are_true is expected


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
    assert not result.labels_are_true
    assert result.realized_noise_rate is None and result.transition_matrix is None
    (epoch,) = result.epochs
    assert epoch.train_accuracy_clean is None and epoch.memorization is None
    assert 0 <= epoch.train_accuracy_noisy <= 1


@pytest.mark.parametrize("are_true", [False, True])
@pytest.mark.parametrize("learning_rate", [0.01, 1e30])
def test_truth_is_measured_where_it_is_known(
    tmp_path: Path, are_true: bool, learning_rate: float
) -> None:
    write_class_folders(tmp_path)
    config = build_config(
        {
            "dataset": {**FACTS, "labels_are_true": are_true},
            "noise": {"kind": "symmetric", "rate": 0.4},
            "architecture": {"name": "mlp", "hidden": [4]},
            "loss": "ce",
            "learning_rate": learning_rate,
            "epochs": 2,
            "batch_size": 8,
        }
    )
    result = train(config, data_root=tmp_path, device="cpu")
    assert (result.diverged_epoch is not None) == (learning_rate > 1)
    assert result.labels_are_true is are_true
    assert (result.realized_noise_rate is not None) is are_true
    assert (result.transition_matrix is not None) is are_true
    assert [epoch.train_accuracy_clean is not None for epoch in result.epochs] == [are_true] * 2


def test_packed_images_of_files_that_were_replaced_do_not_count(tmp_path: Path) -> None:
    folder = write_class_folders(tmp_path)
    files = load_dataset(FOLDER, tmp_path)[1].train_images
    list(pack(files, tmp_path))
    path = folder / "train" / "ant" / "0.jpg"
    shutil.copy(folder / "train" / "cat" / "3.jpg", path)
    replaced = load_dataset(FOLDER, tmp_path)[1].train_images
    assert np.array_equal(replaced.read(0), decode(path, 32))
    assert list(pack(replaced, tmp_path)) == [12]
    packed = load_dataset(FOLDER, tmp_path)[1].train_images
    assert packed.pixels is not None
    assert np.array_equal(packed.read(0), decode(path, 32))
