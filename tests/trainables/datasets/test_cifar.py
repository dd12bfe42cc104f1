"""CIFAR from each of its forms, with nothing but the published content accepted."""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from trainables.datasets import DatasetError, ImageArrays
from trainables.datasets.cifar import (
    CIFAR10,
    CIFAR100,
    CIFAR100_CLASSES,
    CIFAR100_SUPERCLASSES,
    CIFARDataset,
    checked_batch,
    next_within_superclass,
    read_member,
)
from trainables.datasets.download import Remote

RNG = np.random.default_rng(0)
IMAGES = {
    "train": RNG.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8),
    "test": RNG.integers(0, 256, (20, 32, 32, 3), dtype=np.uint8),
}
LABELS = {split: np.arange(len(images)) % 10 for split, images in IMAGES.items()}


def batch(split: str, rows: slice) -> bytes:
    flat = IMAGES[split][rows].transpose(0, 3, 1, 2).reshape(-1, 3072)
    content = {b"data": flat, b"labels": LABELS[split][rows].tolist()}
    return pickle.dumps(content, protocol=4)


BATCHES = {
    "data_batch_1": batch("train", slice(0, 20)),
    "data_batch_2": batch("train", slice(20, 40)),
    "test_batch": batch("test", slice(None)),
}


def packed(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


ARCHIVE = packed({f"tiny-batches-py/{name}": content for name, content in BATCHES.items()})


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


class Tiny(CIFARDataset):
    info = replace(CIFAR10, name="tiny")
    archive = Remote("tiny.tar.gz", f"sha256:{hashlib.sha256(ARCHIVE).hexdigest()}", (), "tiny")
    batches = "tiny-batches-py"
    train: ClassVar = {name: md5(BATCHES[name]) for name in ("data_batch_1", "data_batch_2")}
    test: ClassVar = {"test_batch": md5(BATCHES["test_batch"])}
    label_key = b"labels"
    folders = ("tiny", "tiny-10")
    train_pixels_sha256 = hashlib.sha256(IMAGES["train"].tobytes()).hexdigest()
    test_pixels_sha256 = hashlib.sha256(IMAGES["test"].tobytes()).hexdigest()


def put_batches(root: Path, folder: str) -> None:
    place = root / folder / "tiny-batches-py"
    place.mkdir(parents=True)
    for name, content in BATCHES.items():
        (place / name).write_bytes(content)


def put_archive(root: Path, folder: str) -> None:
    (root / folder).mkdir(exist_ok=True)
    (root / folder / "tiny.tar.gz").write_bytes(ARCHIVE)


def put_tables(root: Path, folder: str, labels: dict[str, np.ndarray] = LABELS) -> None:
    (root / folder).mkdir()
    for split, shards in (("train", 2), ("test", 1)):
        for number, rows in enumerate(np.array_split(np.arange(len(IMAGES[split])), shards)):
            encoded = []
            for image in IMAGES[split][rows]:
                stream = io.BytesIO()
                Image.fromarray(image).save(stream, "PNG")
                encoded.append(stream.getvalue())
            table = pa.table({"image": encoded, "label": labels[split][rows]})
            pq.write_table(table, root / folder / f"{split}-{number}-of-{shards}.parquet")


def assert_original(arrays: ImageArrays) -> None:
    np.testing.assert_array_equal(arrays.train_images, IMAGES["train"])
    np.testing.assert_array_equal(arrays.test_images, IMAGES["test"])
    np.testing.assert_array_equal(arrays.train_labels, LABELS["train"])
    np.testing.assert_array_equal(arrays.test_labels, LABELS["test"])


@pytest.mark.parametrize(
    ("put", "folder"),
    [
        (put_batches, ""),
        (put_batches, "tiny"),
        (put_archive, ""),
        (put_archive, "tiny-10"),
        (put_tables, "tiny"),
        (put_tables, "tiny-10"),
    ],
)
def test_every_form_gives_the_same_arrays(
    tmp_path: Path, put: Callable[[Path, str], None], folder: str
) -> None:
    put(tmp_path, folder)
    assert Tiny().locate(tmp_path).missing == ()
    before = set(tmp_path.rglob("*"))
    assert_original(Tiny().load(tmp_path))
    assert {path for path in tmp_path.iterdir() if path not in before} == {tmp_path / ".arrays"}


def test_the_archive_comes_from_the_users_mirror(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_OFFLINE", "0")
    monkeypatch.setenv("ORCHESTRATOR_MIRROR", tmp_path.as_uri())
    put_archive(tmp_path, "tiny")
    assert_original(Tiny().load(tmp_path / "data"))


def test_offline_the_error_names_every_form(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        Tiny().load(tmp_path)
    for words in ("tiny.tar.gz missing", "tiny-batches-py", f"{tmp_path}/tiny,", "train*.parquet"):
        assert words in str(caught.value)


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tiny.tar.gz").write_bytes(ARCHIVE[:-20])
    with pytest.raises(DatasetError, match="damaged"):
        Tiny().load(tmp_path)


def test_an_unpacked_batch_that_was_changed_is_not_looked_into(tmp_path: Path) -> None:
    put_batches(tmp_path, "")
    (tmp_path / "tiny-batches-py" / "test_batch").write_bytes(b"cos\nsystem\n.")
    with pytest.raises(DatasetError, match="MD5"):
        Tiny().load(tmp_path)


def test_a_hostile_batch_is_refused_even_with_the_right_md5() -> None:
    hostile = b"cos\nsystem\n(S'true'\ntR."
    with pytest.raises(DatasetError, match=r"os\.system"):
        checked_batch("test_batch", hostile, md5(hostile))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_a_member_that_is_no_regular_file_is_refused(tmp_path: Path, kind: bytes) -> None:
    (tmp_path / "secret").write_text("not part of the archive")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        member = tarfile.TarInfo("tiny-batches-py/test_batch")
        member.type, member.linkname = kind, str(tmp_path / "secret")
        tar.addfile(member)
    with tarfile.open(tmp_path / "a.tar") as tar, pytest.raises(DatasetError, match="regular"):
        read_member(tar, "tiny-batches-py/test_batch")
    with tarfile.open(tmp_path / "a.tar") as tar, pytest.raises(DatasetError, match="regular"):
        read_member(tar, "tiny-batches-py/absent")


def test_members_that_point_outside_are_never_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = {f"tiny-batches-py/{name}": content for name, content in BATCHES.items()}
    archive = packed({**members, "../escaped": b"x", "/escaped by an absolute name": b"x"})
    digest = f"sha256:{hashlib.sha256(archive).hexdigest()}"
    monkeypatch.setattr(Tiny, "archive", replace(Tiny.archive, digest=digest))
    root = tmp_path / "data"
    root.mkdir()
    (root / "tiny.tar.gz").write_bytes(archive)
    assert_original(Tiny().load(root))
    assert {path.name for path in tmp_path.iterdir()} == {"data"}
    assert {path.name for path in root.iterdir()} == {"tiny.tar.gz", ".arrays"}
    assert not Path("/escaped by an absolute name").exists()


def test_tables_with_other_labels_are_refused(tmp_path: Path) -> None:
    noisy = {**LABELS, "train": np.where(LABELS["train"] == 3, 5, LABELS["train"])}
    put_tables(tmp_path, "tiny", noisy)
    with pytest.raises(DatasetError, match="parquet"):
        Tiny().load(tmp_path)


def test_tables_that_lack_a_shard_are_refused(tmp_path: Path) -> None:
    put_tables(tmp_path, "tiny")
    (tmp_path / "tiny" / "train-1-of-2.parquet").unlink()
    with pytest.raises(DatasetError, match="all images"):
        Tiny().load(tmp_path)


@pytest.mark.parametrize("split", ["train", "test"])
def test_tables_with_one_other_pixel_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split: str
) -> None:
    changed = IMAGES[split].copy()
    changed[0, 0, 0, 0] ^= 1
    monkeypatch.setitem(IMAGES, split, changed)
    put_tables(tmp_path, "tiny")
    with pytest.raises(DatasetError, match="pixel by pixel"):
        Tiny().load(tmp_path)


def test_superclasses_of_cifar100_have_five_classes_each() -> None:
    assert list(np.bincount(CIFAR100_SUPERCLASSES)) == [5] * 20
    assert len(set(CIFAR100_CLASSES)) == 100
    superclass = dict(zip(CIFAR100_CLASSES, CIFAR100_SUPERCLASSES, strict=True))
    assert superclass["apple"] == superclass["sweet_pepper"] == 4
    assert superclass["wolf"] == 8 and superclass["tractor"] == 19


def test_asymmetric_noise_of_cifar100_cycles_within_each_superclass() -> None:
    after = CIFAR100.similar_classes
    for start in range(100):
        seen = [start]
        for _ in range(4):
            seen.append(after[seen[-1]])
        assert after[seen[-1]] == start
        assert len(set(seen)) == 5
        assert len({CIFAR100_SUPERCLASSES[fine] for fine in seen}) == 1


def test_the_next_class_is_the_next_of_the_same_group() -> None:
    assert next_within_superclass([0, 1, 0, 1, 0]) == {0: 2, 2: 4, 4: 0, 1: 3, 3: 1}


def test_asymmetric_noise_of_cifar10_is_the_published_map() -> None:
    named = {
        CIFAR10.class_names[a]: CIFAR10.class_names[b] for a, b in CIFAR10.similar_classes.items()
    }
    assert named == {
        "truck": "automobile",
        "bird": "airplane",
        "deer": "horse",
        "cat": "dog",
        "dog": "cat",
    }
