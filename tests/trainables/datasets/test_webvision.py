"""WebVision's layout: lists, blemishes, packing that can be interrupted, training from disk."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.trainables.datasets.layouts import write_webvision
from trainables import resident
from trainables.catalog import build_config
from trainables.config import Choice
from trainables.datasets import DatasetError, load_dataset, packed
from trainables.datasets.file_list import read_file_list
from trainables.train import train

WEBVISION = Choice("webvision")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_webvision(tmp_path)


def test_sound_images_of_every_kind_with_their_labels(folder: Path) -> None:
    info, arrays = load_dataset(WEBVISION, folder.parent)
    assert info.num_classes == 1000
    assert arrays.train_images.shape == (23, 224, 224, 3)
    assert arrays.test_images.shape == (8, 224, 224, 3)
    listed = [(0, 1, 60)[index % 3] for index in range(24)]
    del listed[3]  # broken
    assert arrays.train_labels.tolist() == listed
    levels = [image.mean() for image in arrays.train_images]
    with Image.open(folder / "google/q0001/image 1.jpg") as grey:
        assert levels[1] == pytest.approx(np.asarray(grey).mean(), abs=4)
    assert np.allclose(arrays.train_images[1, ..., 0], arrays.train_images[1, ..., 2])
    assert levels[20] > levels[10] + 30


def test_the_first_classes(folder: Path) -> None:
    info, arrays = load_dataset(WEBVISION.replace(classes=50), folder.parent)
    assert info.num_classes == 50
    assert set(arrays.train_labels.tolist()) == {0, 1}
    assert len(arrays.test_images) == 6


def test_packing_goes_on_where_it_stopped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, whole = load_dataset(WEBVISION, folder.parent)
    expected = np.array(whole.train_images)
    monkeypatch.setenv("ORCHESTRATOR_CACHE", str(folder.parent / "again"))
    monkeypatch.setattr(packed, "CHUNK", 4)
    tried: list[Path] = []

    original = packed.decode
    monkeypatch.setattr(packed, "decode", lambda path, size: _count(tried, original, path, size))
    with pytest.raises(MemoryError):
        load_dataset(WEBVISION, folder.parent)
    done = len(tried)
    monkeypatch.setattr(packed, "decode", original)
    _, resumed = load_dataset(WEBVISION, folder.parent)
    assert done >= 14
    assert np.array_equal(resumed.train_images, expected)
    assert np.array_equal(resumed.train_labels, whole.train_labels)


def _count(tried: list[Path], original, path: Path, size: int):
    tried.append(path)
    if len(tried) == 14:
        raise MemoryError
    return original(path, size)


def test_a_second_load_decodes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_dataset(WEBVISION, folder.parent)

    def fail(path: Path, size: int) -> None:
        raise AssertionError(path)

    monkeypatch.setattr(packed, "decode", fail)
    load_dataset(WEBVISION, folder.parent)


def test_an_image_that_is_not_there_is_an_error(folder: Path) -> None:
    (folder / "google/q0002/image 5.jpg").unlink()
    with pytest.raises(DatasetError, match=r"image 5\.jpg is in the list and not in the folder"):
        load_dataset(WEBVISION, folder.parent)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"info/train_filelist_google\.txt.*val_images_256"):
        load_dataset(WEBVISION, tmp_path)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("google/q0001/a.jpg", "not 'path label'"),
        ("google/q0001/a.jpg x", "not 'path label'"),
        ("google/q0001/a.jpg 1000", "label 1000, but there are 1000"),
        ("../../etc/passwd 1", "leaves the folder"),
        ("/etc/passwd 1", "leaves the folder"),
    ],
)
def test_a_bad_line_is_named_with_its_number(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "list.txt"
    path.write_text(f"google/q0001/fine.jpg 3\n\n{line}\n")
    with pytest.raises(DatasetError, match=words) as raised:
        read_file_list(path, 1000)
    assert "list.txt:3:" in str(raised.value)


def test_an_empty_list_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("\n")
    with pytest.raises(DatasetError, match="names no image"):
        read_file_list(tmp_path / "list.txt", 10)


def test_training_from_disk_is_training_from_memory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = build_config(
        {
            "dataset": "webvision",
            "architecture": {"name": "mlp", "hidden": [4]},
            "loss": "ce",
            "learning_rate": 0.01,
            "epochs": 2,
            "batch_size": 8,
            "augmentation": ["flip", {"name": "crop", "padding": 16}],
        }
    )

    def curve() -> list[dict[str, object]]:
        resident.resident_data.cache_clear()
        result = train(config, data_root=folder.parent, device="cpu")
        return [{k: v for k, v in asdict(e).items() if k != "seconds"} for e in result.epochs]

    from_disk = curve()
    monkeypatch.setattr(resident, "_mapped", resident._resident)
    assert curve() == from_disk
    resident.resident_data.cache_clear()
