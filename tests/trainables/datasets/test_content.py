"""Digests of content: equal for equal data wherever it lies, other for any change, cheap again."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.trainables.datasets.layouts import (
    write_class_folders,
    write_clothing1m,
    write_mars,
    write_webvision,
)
from trainables import datasets
from trainables.config import Choice
from trainables.datasets import DatasetError, content, file_state, load_dataset, remembered
from trainables.datasets.content import ContentDigests, data_digests, split_sha256

FOLDER = Choice.of("folder", path="mine", num_classes=3, size=32)
SYNTHETIC = Choice.of("synthetic", like="mnist", images=20)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ORCHESTRATOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(file_state, "SETTLING_NS", 0)
    return tmp_path / "cache"


@pytest.fixture
def read_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the image files that are read for a digest."""
    names: list[str] = []
    digest = remembered._digest

    def noted(path: Path) -> object:
        names.append(path.name)
        return digest(path)

    monkeypatch.setattr(remembered, "_digest", noted)
    return names


def digests_of_loaded(choice: Choice, root: Path) -> ContentDigests:
    _, arrays = load_dataset(choice, root)
    return ContentDigests(
        split_sha256(arrays.train_images, arrays.train_labels),
        split_sha256(arrays.test_images, arrays.test_labels, arrays.retrieval),
    )


def recoloured(path: Path) -> None:
    """Another image in a file of the same size and time."""
    before = path.stat()
    image = bytearray(path.read_bytes())
    image[-3] ^= 1
    path.write_bytes(image)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


WRITERS: dict[str, tuple[Choice, Callable[[Path], Path]]] = {
    "folder": (FOLDER, write_class_folders),
    "webvision": (Choice("webvision"), write_webvision),
    "clothing1m": (Choice("clothing1m"), write_clothing1m),
    "mars": (Choice.of("mars", identities=3), write_mars),
    "synthetic": (SYNTHETIC, lambda root: root),
    "small": (Choice.of("fashion-mnist-small", train_size=50, test_size=10), lambda root: root),
}


@pytest.mark.parametrize("name", list(WRITERS))
def test_the_driver_and_the_training_digest_the_same(tmp_path: Path, name: str) -> None:
    choice, write = WRITERS[name]
    write(tmp_path)
    expected = digests_of_loaded(choice, tmp_path)
    assert data_digests(choice, tmp_path) == expected
    assert data_digests(choice, tmp_path) == expected, "as it is remembered"


def test_what_is_not_here_has_no_digest_and_is_not_fetched(tmp_path: Path) -> None:
    assert data_digests(Choice("cifar10"), tmp_path) is None
    assert data_digests(FOLDER, tmp_path) is None
    (write_webvision(tmp_path) / "google/q0002/image 5.jpg").unlink()
    assert data_digests(Choice("webvision"), tmp_path) is None


def test_layout_in_memory_is_no_content() -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 3, 4, 2), dtype=np.uint8)
    turned = np.ascontiguousarray(images.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
    labels = np.arange(5)
    assert split_sha256(images, labels) == split_sha256(turned, labels.astype(np.int32))
    assert split_sha256(images, labels) != split_sha256(images, labels[::-1])
    assert split_sha256(images, labels) != split_sha256(images.reshape(5, 4, 3, 2), labels)


def test_an_image_of_the_same_size_and_time_is_another(tmp_path: Path) -> None:
    folder = write_class_folders(tmp_path)
    before = data_digests(FOLDER, tmp_path)
    recoloured(folder / "val" / "bee" / "1.jpg")
    after = data_digests(FOLDER, tmp_path)
    assert before is not None and after is not None
    assert before.train == after.train
    assert before.test != after.test


def test_one_changed_file_is_all_that_is_read_again(tmp_path: Path, read_files: list[str]) -> None:
    folder = write_class_folders(tmp_path)
    before = data_digests(FOLDER, tmp_path)
    assert len(read_files) == 24
    read_files.clear()
    assert data_digests(FOLDER, tmp_path) == before
    assert read_files == []
    recoloured(folder / "train" / "cat" / "2.jpg")
    data_digests(FOLDER, tmp_path)
    assert read_files == ["2.jpg"]


def test_a_file_that_just_changed_is_not_remembered(
    tmp_path: Path, read_files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_class_folders(tmp_path)
    monkeypatch.setattr(file_state, "SETTLING_NS", 10**15)
    data_digests(FOLDER, tmp_path)
    data_digests(FOLDER, tmp_path)
    assert len(read_files) == 48


def test_names_and_labels_enter(tmp_path: Path) -> None:
    folder = write_class_folders(tmp_path)
    found = {data_digests(FOLDER, tmp_path)}
    (folder / "train" / "ant" / "3.jpg").rename(folder / "train" / "ant" / "4.jpg")
    found.add(data_digests(FOLDER, tmp_path))
    for split in ("train", "val"):
        (folder / split / "ant").rename(folder / split / "emu")
    found.add(data_digests(FOLDER, tmp_path))
    assert len(found) == 3
    _, arrays = load_dataset(FOLDER, tmp_path)
    labels = [split_sha256(arrays.test_images, arrays.test_labels + shift) for shift in (0, 1)]
    assert labels[0] != labels[1]


def test_a_copy_has_the_same_digest(tmp_path: Path) -> None:
    write_class_folders(tmp_path / "here")
    write_class_folders(tmp_path / "there")
    assert data_digests(FOLDER, tmp_path / "here") == data_digests(FOLDER, tmp_path / "there")


def test_what_is_too_large_to_read_is_told_by_sizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_files: list[str]
) -> None:
    folder = write_class_folders(tmp_path)
    whole = data_digests(FOLDER, tmp_path)
    monkeypatch.setattr(content, "READ_WHOLE_BYTES", 10)
    sized = data_digests(FOLDER, tmp_path)
    assert whole is not None and sized is not None
    assert whole.train.startswith("listing:") and sized.train.startswith("sizes:")
    assert len(read_files) == 24
    with (folder / "train" / "ant" / "0.jpg").open("ab") as file:
        file.write(b"x")
    assert data_digests(FOLDER, tmp_path) != sized


def test_who_is_asked_for_is_part_of_a_retrieval_test(tmp_path: Path) -> None:
    write_mars(tmp_path)
    _, arrays = load_dataset(Choice.of("mars", identities=3), tmp_path)
    found = arrays.retrieval
    assert found is not None
    fewer = datasets.RetrievalSplit(found.identities, found.cameras, found.queries[1:])
    digests = {
        split_sha256(arrays.test_images, arrays.test_labels, split)
        for split in (None, found, fewer)
    }
    assert len(digests) == 3 and all(digest.startswith("listing:") for digest in digests)


def write_table(root: Path, level: int) -> Choice:
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    stream = io.BytesIO()
    Image.new("L", (8, 8), level).save(stream, "BMP")
    (root / "table").mkdir(exist_ok=True)
    for split in ("train", "test"):
        content = pa.table({"image": [stream.getvalue()] * 2, "label": [0, 1]})
        pq.write_table(content, root / "table" / f"{split}.parquet", compression="none")
    return Choice.of("parquet", path="table", num_classes=2, image_shape=(1, 8, 8))


def test_tables_are_opened_once_until_they_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choice = write_table(tmp_path, 10)
    before = data_digests(choice, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(content, "load_dataset", None)
        assert data_digests(choice, tmp_path) == before
    files = {path: path.stat() for path in (tmp_path / "table").iterdir()}
    write_table(tmp_path, 11)
    for path, former in files.items():
        os.utime(path, ns=(former.st_atime_ns, former.st_mtime_ns))
        assert path.stat().st_size == former.st_size
    after = data_digests(choice, tmp_path)
    assert before is not None and after is not None
    assert after.train != before.train, "neither the note nor the decoded arrays are the old ones"


def test_other_readers_digest_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data_digests(SYNTHETIC, tmp_path)
    loads: list[Choice] = []

    def counted(choice: Choice, root: Path) -> object:
        loads.append(choice)
        return load_dataset(choice, root)

    monkeypatch.setattr(content, "load_dataset", counted)
    data_digests(SYNTHETIC, tmp_path)
    assert not loads
    monkeypatch.setattr(content, "_readers_sha256", lambda: "edited")
    data_digests(SYNTHETIC, tmp_path)
    assert len(loads) == 1


def test_a_plug_in_is_always_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Changing:
        level = 0
        info = datasets.DatasetInfo("changing", 2, (1, 2, 2), (0.5,), (0.1,), ("a", "b"))

        def load(self, data_root: Path) -> datasets.ImageArrays:
            images = np.full((2, 2, 2, 1), self.level, np.uint8)
            return datasets.ImageArrays(images, np.arange(2), images, np.arange(2))

        def locate(self, data_root: Path) -> datasets.Presence:
            return datasets.Presence()

    monkeypatch.setattr(datasets.DATASETS, "_components", {})
    datasets.DATASETS.register("changing")(Changing)
    before = data_digests(Choice("changing"), tmp_path)
    monkeypatch.setattr(Changing, "level", 1)
    assert data_digests(Choice("changing"), tmp_path) != before


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"ant/0.jpg": 3, "origin": null}'])
def test_damaged_notes_cost_time_alone(tmp_path: Path, cache: Path, damage: bytes) -> None:
    write_class_folders(tmp_path)
    expected = data_digests(FOLDER, tmp_path), data_digests(SYNTHETIC, tmp_path)
    notes = list((cache / "arrays" / "digests").iterdir())
    assert len(notes) == 3
    for note in notes:
        note.write_bytes(damage)
    assert (data_digests(FOLDER, tmp_path), data_digests(SYNTHETIC, tmp_path)) == expected


def test_no_notes_where_nothing_may_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("ORCHESTRATOR_CACHE", str(tmp_path / "a file"))
    write_class_folders(tmp_path)
    assert data_digests(FOLDER, tmp_path) == digests_of_loaded(FOLDER, tmp_path)


def test_files_that_are_no_data_set_are_an_error(tmp_path: Path) -> None:
    (write_class_folders(tmp_path) / "val" / "dog").mkdir()
    with pytest.raises(DatasetError, match="only val has dog"):
        data_digests(FOLDER, tmp_path)
