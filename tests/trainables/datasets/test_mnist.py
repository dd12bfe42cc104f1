"""The MNIST family: accepted layouts, never one set for the other, words when files are missing."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from trainables.datasets import DatasetError
from trainables.datasets.mnist import MNIST, FashionMNIST, HandwrittenDigits, IDXDataset, IDXFile

NAMES = [file.name for file in HandwrittenDigits.files]


def contents(seed: int) -> dict[str, bytes]:
    """Four small IDX files: 5 training and 3 test images of 28 × 28."""
    rng = np.random.default_rng(seed)
    made = {}
    for name in NAMES:
        count = 5 if name.startswith("train") else 3
        if "images" in name:
            header = b"\0\0\x08\x03" + np.array([count, 28, 28], ">u4").tobytes()
            made[name] = header + rng.bytes(count * 784)
        else:
            header = b"\0\0\x08\x01" + np.array([count], ">u4").tobytes()
            made[name] = header + bytes(rng.integers(0, 10, count, dtype=np.uint8))
    return made


CONTENT = contents(0)


class Tiny(IDXDataset):
    info = replace(MNIST, name="tiny")
    folders = ("tiny", "Tiny/raw")
    mirrors = ()
    files: ClassVar = tuple(
        IDXFile(
            name,
            hashlib.sha256(content).hexdigest(),
            hashlib.sha256(gzip.compress(content, mtime=0)).hexdigest(),
        )
        for name, content in CONTENT.items()
    )


def put(folder: Path, content: dict[str, bytes], *, packed: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in content.items():
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(data, mtime=0))
        else:
            (folder / name).write_bytes(data)


@pytest.mark.parametrize("packed", [True, False], ids=["gz", "unpacked"])
@pytest.mark.parametrize("folder", ["tiny", "Tiny/raw", ""])
def test_every_layout_gives_the_same_arrays(tmp_path: Path, folder: str, packed: bool) -> None:
    put(tmp_path / folder, CONTENT, packed=packed)
    arrays = Tiny().load(tmp_path)
    assert arrays.train_images.shape == (5, 28, 28, 1)
    assert arrays.train_labels.dtype == np.int64
    assert arrays.train_images.tobytes() == CONTENT[NAMES[0]][16:]
    assert list(arrays.test_labels) == list(CONTENT[NAMES[3]][8:])


def test_files_of_another_set_with_the_same_names_are_refused(tmp_path: Path) -> None:
    put(tmp_path, contents(1), packed=True)
    with pytest.raises(DatasetError, match="another data set"):
        Tiny().load(tmp_path)
    put(tmp_path / "tiny", CONTENT, packed=True)
    assert len(Tiny().load(tmp_path).train_labels) == 5


def test_missing_files_are_named_with_every_place_they_may_lie(tmp_path: Path) -> None:
    put(tmp_path / "tiny", {name: CONTENT[name] for name in NAMES[:3]}, packed=True)
    with pytest.raises(DatasetError) as caught:
        Tiny().load(tmp_path)
    text = str(caught.value)
    assert "t10k-labels-idx1-ubyte.gz missing" in text
    assert "train-images" not in text
    assert f"{tmp_path}/tiny, {tmp_path}/Tiny/raw, {tmp_path}" in text
    assert "ORCHESTRATOR_OFFLINE" in text and "ORCHESTRATOR_DATA" in text


def test_locate_says_what_is_here(tmp_path: Path) -> None:
    put(tmp_path / "tiny", {name: CONTENT[name] for name in NAMES[1:]}, packed=False)
    presence = Tiny().locate(tmp_path)
    assert presence.found == tuple(tmp_path / "tiny" / name for name in NAMES[1:])
    assert presence.missing == ("train-images-idx3-ubyte.gz",)


def test_missing_files_come_from_the_users_mirror(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "mirror" / "tiny", CONTENT, packed=True)
    monkeypatch.setenv("ORCHESTRATOR_OFFLINE", "0")
    monkeypatch.setenv("ORCHESTRATOR_MIRROR", (tmp_path / "mirror").as_uri())
    assert len(Tiny().load(tmp_path / "data").test_labels) == 3
    assert Tiny().locate(tmp_path / "data").missing == ()


def test_the_two_sets_share_file_names_but_no_digest() -> None:
    assert [file.name for file in FashionMNIST.files] == NAMES
    digests = [
        digest
        for dataset in (FashionMNIST, HandwrittenDigits)
        for file in dataset.files
        for digest in (file.packed_sha256, file.unpacked_sha256)
    ]
    assert len(set(digests)) == 16
    assert all(len(bytes.fromhex(digest)) == 32 for digest in digests)
