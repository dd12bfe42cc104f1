"""WebVision's layout: lists, blemishes, streaming, packing that can be interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from tests.trainables.datasets.layouts import write_webvision
from trainables.components import build_config
from trainables.config import Choice
from trainables.datasets import DatasetError, image_files, load_dataset, packing
from trainables.datasets.file_list import read_file_list
from trainables.datasets.image_files import BLANK, ImageFiles, decode
from trainables.datasets.packing import pack
from trainables.images import resident
from trainables.images.source import AHEAD, ResidentImages, StreamedImages
from trainables.training.train import train

WEBVISION = Choice("webvision")
LISTED = [(0, 1, 60)[index % 3] for index in range(24)]
CONFIG = {
    "dataset": "webvision",
    "architecture": {"name": "mlp", "hidden": [4]},
    "loss": "ce",
    "learning_rate": 0.01,
    "epochs": 2,
    "batch_size": 8,
    "augmentation": ["flip", {"name": "random_crop", "size": 224}],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("ORCHESTRATOR_CACHE", str(tmp_path / "cache"))
    yield write_webvision(tmp_path)
    resident.resident_data.cache_clear()


def files_of(folder: Path, choice: Choice = WEBVISION) -> ImageFiles:
    images = load_dataset(choice, folder.parent)[1].train_images
    assert isinstance(images, ImageFiles)
    return images


def pixels(files: ImageFiles) -> NDArray[np.uint8]:
    return np.stack([files.read(position) for position in range(len(files))])


def test_images_of_every_kind_with_their_labels(folder: Path) -> None:
    info, arrays = load_dataset(WEBVISION, folder.parent)
    assert info.num_classes == 1000
    assert arrays.train_images.shape == (24, 256, 256, 3)
    assert arrays.test_images.shape == (8, 256, 256, 3)
    assert arrays.train_labels.tolist() == LISTED
    images = pixels(files_of(folder))
    with Image.open(folder / "google/q0001/image 1.jpg") as grey:
        assert images[1].mean() == pytest.approx(np.asarray(grey).mean(), abs=4)
    assert np.array_equal(images[1, ..., 0], images[1, ..., 2])
    assert images[20].mean() > images[10].mean() + 30


def test_the_centre_is_cut_and_scaled_as_pillow_does_it(tmp_path: Path) -> None:
    path = tmp_path / "smooth.png"
    ramp = np.add.outer(np.arange(256), np.arange(320)) // 3
    Image.fromarray(np.stack([ramp] * 3, axis=-1).astype(np.uint8)).save(path)
    ours = decode(path, 112)
    with Image.open(path) as whole:
        centre = whole.crop((32, 0, 288, 256))
        theirs = np.asarray(centre.resize((112, 112), Image.Resampling.BILINEAR))
    assert ours is not None
    assert np.abs(ours.astype(int) - theirs).max() <= 1


def test_a_broken_image_is_blank_and_counted_or_stops(folder: Path) -> None:
    files = files_of(folder)
    assert (files.read(3) == BLANK).all()
    assert (files.read(3) == BLANK).all()
    assert files.num_broken == 1
    assert files[np.array([0, 1])].num_broken == 0
    strict = files_of(folder, WEBVISION.replace(broken="stop"))
    with pytest.raises(DatasetError, match=r"image 3\.jpg cannot be decoded"):
        strict.read(3)


def test_the_first_classes(folder: Path) -> None:
    info, arrays = load_dataset(WEBVISION.replace(classes=50), folder.parent)
    assert info.num_classes == 50
    assert set(arrays.train_labels.tolist()) == {0, 1}
    assert len(arrays.test_images) == 6


def test_a_subset_reads_its_own_images(folder: Path) -> None:
    whole, some = files_of(folder), files_of(folder, WEBVISION.replace(train_size=6))
    kept = [whole.names.index(name) for name in some.names]
    assert len(kept) == 6
    assert np.array_equal(pixels(some), pixels(whole)[kept])
    list(pack(whole, folder.parent))
    assert np.array_equal(
        pixels(files_of(folder, WEBVISION.replace(train_size=6))), pixels(whole)[kept]
    )


def test_packed_images_are_the_same(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = files_of(folder)
    expected = pixels(files)
    assert list(pack(files, folder.parent)) == [24]
    monkeypatch.setattr(image_files, "decode", None)
    packed = files_of(folder)
    assert np.array_equal(pixels(packed), expected)
    assert packed.num_broken == 1
    with pytest.raises(DatasetError, match="cannot be decoded"):
        files_of(folder, WEBVISION.replace(broken="stop")).read(3)


def test_packing_goes_on_where_it_stopped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = files_of(folder)
    monkeypatch.setattr(packing, "CHUNK", 4)
    tried: list[str] = []

    def interrupted(path: Path, size: int, fit: str) -> NDArray[np.uint8] | None:
        tried.append(path.name)
        if len(tried) == 14:
            raise MemoryError
        return decode(path, size)

    monkeypatch.setattr(packing, "decode", interrupted)
    with pytest.raises(MemoryError):
        list(pack(files, folder.parent))
    assert files_of(folder).pixels is None, "half a pack is none"
    tried.clear()
    tried.extend(["counted"] * 14)
    list(pack(files, folder.parent))
    assert len(tried) - 14 <= 12
    assert np.array_equal(pixels(files_of(folder)), pixels(files))


def test_an_image_that_is_not_there_is_an_error(folder: Path) -> None:
    (folder / "google/q0002/image 5.jpg").unlink()
    files = files_of(folder)
    assert files.missing() == ["google/q0002/image 5.jpg"]
    with pytest.raises(DatasetError, match=r"image 5\.jpg is in the list and not in the folder"):
        files.read(5)


def test_batches_come_in_order_whatever_is_read_first(folder: Path) -> None:
    files = files_of(folder)
    parts = [torch.tensor(part) for part in ([5, 2], [3], [23, 0, 7], [1, 1], [9], [8])]
    source = StreamedImages(files, "cpu")
    batches = list(source.batches(parts))
    expected = torch.from_numpy(pixels(files)).permute(0, 3, 1, 2)
    assert all(
        torch.equal(batch, expected[part]) for batch, part in zip(batches, parts, strict=True)
    )
    assert source.num_broken == 1


def test_only_a_few_batches_are_read_ahead(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    original = ImageFiles.read
    monkeypatch.setattr(
        ImageFiles, "read", lambda self, at: (read.append(at), original(self, at))[1]
    )
    source = StreamedImages(files_of(folder), "cpu")
    batches = source.batches([torch.tensor([position]) for position in range(20)])
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert len(read) <= AHEAD + 1


def test_training_ends_with_the_first_error_of_a_reader(folder: Path) -> None:
    (folder / "google/q0002/image 5.jpg").unlink()
    with pytest.raises(DatasetError, match=r"image 5\.jpg"):
        train(build_config(CONFIG), data_root=folder.parent, device="cpu")


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


def test_training_is_the_same_streamed_packed_and_from_memory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def curve() -> list[dict[str, object]]:
        resident.resident_data.cache_clear()
        result = train(build_config(CONFIG), data_root=folder.parent, device="cpu")
        assert result.num_broken_images == 1
        return [{k: v for k, v in asdict(e).items() if k != "seconds"} for e in result.epochs]

    streamed = curve()
    whole = pixels(files_of(folder))
    list(pack(files_of(folder), folder.parent))
    assert curve() == streamed

    class Resident(ResidentImages):
        num_broken = 1

    def in_memory(images: ImageFiles, device: str) -> object:
        planes = torch.from_numpy(pixels(images)).permute(0, 3, 1, 2).contiguous()
        source = Resident(planes) if len(images) == len(whole) else ResidentImages(planes)
        monkeypatch.setattr(source, "content", lambda: images, raising=False)
        return source

    monkeypatch.setattr(resident, "_source", in_memory)
    assert curve() == streamed
