"""Pickles of plain arrays are read; a pickle that asks for anything else never runs it."""

from __future__ import annotations

import os
import pickle
import struct
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.datasets import DatasetError
from trainables.datasets.plain_pickle import read_batch

PIXELS = np.arange(6, dtype=np.uint8).reshape(2, 3)


def python_2_batch(module: bytes = b"numpy.core.multiarray") -> bytes:
    """A batch as Python 2 wrote the published ones: byte strings, the old place of NumPy."""
    array = (
        b"c" + module + b"\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x02K\x03\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        b"T" + struct.pack("<I", PIXELS.size) + PIXELS.tobytes() + b"tb"
    )
    return b"\x80\x02}(U\x04data" + array + b"U\x06labels](K\x07K\x01eu."


@pytest.mark.parametrize("module", [b"numpy.core.multiarray", b"numpy._core.multiarray"])
def test_reads_what_python_2_wrote(module: bytes) -> None:
    batch = read_batch(python_2_batch(module), "batch")
    np.testing.assert_array_equal(batch[b"data"], PIXELS)
    assert batch[b"labels"] == [7, 1]


class RunsCommand:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_hostile_pickle_is_refused_before_it_acts(tmp_path: Path, protocol: int) -> None:
    marker = tmp_path / "it ran"
    hostile = pickle.dumps({b"data": RunsCommand(marker)}, protocol)
    with pytest.raises(DatasetError, match="asks for"):
        read_batch(hostile, "batch")
    assert not marker.exists()
    pickle.loads(hostile)
    assert marker.exists(), "the pickle is harmless, so the test showed nothing"


@pytest.mark.parametrize(
    "asked",
    [b"cbuiltins\neval\n", b"cnumpy\nload\n", b"\x8c\x05numpy\x8c\x0endarray.tofile\x93"],
    ids=["eval", "another name of numpy", "an attribute of an allowed name"],
)
def test_only_the_names_of_an_array_are_found(asked: bytes) -> None:
    with pytest.raises(DatasetError, match="asks for"):
        read_batch(b"\x80\x04" + asked + b".", "batch")


def test_other_objects_are_refused() -> None:
    with pytest.raises(DatasetError, match="OrderedDict"):
        read_batch(pickle.dumps(OrderedDict(a=1)), "batch")
    with pytest.raises(DatasetError, match="plain arrays"):
        read_batch(pickle.dumps([1, 2]), "batch")


@settings(deadline=None, max_examples=60)
@given(st.integers(0, len(python_2_batch()) - 1))
def test_every_cut_is_refused(length: int) -> None:
    with pytest.raises(DatasetError):
        read_batch(python_2_batch()[:length], "batch")
