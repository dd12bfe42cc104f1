"""Decoded arrays are made once, noticed when stale or damaged, and kept where one may write."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from trainables.datasets import DatasetError, ImageArrays
from trainables.datasets.array_cache import DIGESTS, cached_arrays


class Decoder:
    """Counts how often it is asked, and gives arrays that tell the calls apart."""

    def __init__(self) -> None:
        self.calls = 0
        self.counting = threading.Lock()

    def __call__(self) -> ImageArrays:
        with self.counting:
            self.calls += 1
        # Long enough for every other worker to ask meanwhile.
        time.sleep(0.02)
        images = np.full((4, 2, 2, 1), self.calls, np.uint8)
        labels = np.arange(4)
        return ImageArrays(images, labels, images[:2], labels[:2])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "source.bin"
    path.parent.mkdir()
    path.write_bytes(b"source")
    return path


def entry_of(root: Path) -> Path:
    (folder,) = (path for path in root.iterdir() if path.is_dir())
    return folder


def test_the_second_load_is_memory_mapped_and_decodes_nothing(source: Path) -> None:
    decode = Decoder()
    first = cached_arrays("x", [source], source.parent, decode)
    second = cached_arrays("x", [source], source.parent, decode)
    assert decode.calls == 1
    assert isinstance(second.train_images, np.memmap)
    np.testing.assert_array_equal(first.train_images, second.train_images)
    np.testing.assert_array_equal(second.test_labels, [0, 1])


def test_many_workers_decode_once(source: Path) -> None:
    decode = Decoder()
    with ThreadPoolExecutor(8) as pool:
        loads = [pool.submit(cached_arrays, "x", [source], source.parent, decode) for _ in range(8)]
        assert {int(load.result().train_images.max()) for load in loads} == {1}
    assert decode.calls == 1


@pytest.mark.parametrize("change", ["content", "time"])
def test_a_changed_source_is_decoded_again(source: Path, change: str) -> None:
    decode = Decoder()
    cached_arrays("x", [source], source.parent, decode)
    if change == "content":
        source.write_bytes(b"longer source")
    else:
        os.utime(source, ns=(1, 1))
    assert cached_arrays("x", [source], source.parent, decode).train_images.max() == 2


def test_equal_files_in_two_places_do_not_share_an_entry(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_CACHE", str(tmp_path / "cache"))
    other = tmp_path / "other" / source.name
    other.parent.mkdir()
    other.write_bytes(source.read_bytes())
    os.utime(other, ns=(source.stat().st_atime_ns, source.stat().st_mtime_ns))
    decode = Decoder()
    cached_arrays("x", [source], source.parent, decode)
    assert cached_arrays("x", [other], other.parent, decode).train_images.max() == 2


@pytest.mark.parametrize("damage", ["flipped bit", "cut", "array gone", "digests gone"])
def test_a_damaged_entry_is_decoded_again(source: Path, damage: str) -> None:
    decode = Decoder()
    cached_arrays("x", [source], source.parent, decode)
    entry = entry_of(source.parent / ".arrays")
    victim = entry / "train_images.npy"
    content = bytearray(victim.read_bytes())
    match damage:
        case "flipped bit":
            content[-1] ^= 1
            victim.write_bytes(content)
        case "cut":
            victim.write_bytes(content[:-3])
        case "array gone":
            victim.unlink()
        case "digests gone":
            (entry / DIGESTS).unlink()
    again = cached_arrays("x", [source], source.parent, decode)
    assert (again.train_images == 2).all() and decode.calls == 2
    cached_arrays("x", [source], source.parent, decode)
    assert decode.calls == 2


def test_a_failed_decoding_leaves_nothing_behind(source: Path) -> None:
    def fails() -> ImageArrays:
        raise DatasetError("broken source")

    with pytest.raises(DatasetError, match="broken source"):
        cached_arrays("x", [source], source.parent, fails)
    assert not [path for path in (source.parent / ".arrays").iterdir() if path.is_dir()]


def test_a_read_only_data_root_stays_untouched(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    before = list(source.parent.iterdir())
    source.parent.chmod(0o555)
    try:
        cached_arrays("x", [source], source.parent, Decoder())
        assert list(source.parent.iterdir()) == before
    finally:
        source.parent.chmod(0o755)
    assert entry_of(tmp_path / "home" / ".cache" / "orchestrator" / "arrays").name.startswith("x-")


def test_a_cache_that_cannot_be_written_says_which_setting_helps(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a file").write_text("")
    monkeypatch.setenv("ORCHESTRATOR_CACHE", str(tmp_path / "a file"))
    with pytest.raises(DatasetError, match="ORCHESTRATOR_CACHE"):
        cached_arrays("x", [source], source.parent, Decoder())
