"""The IDX format."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.datasets import DatasetError
from trainables.datasets.idx import parse_idx, read_idx

SMALL = b"\0\0\x08\x02" + b"\0\0\0\x02" + b"\0\0\0\x03" + bytes(range(6))


@pytest.mark.parametrize("name", ["a-ubyte", "a-ubyte.gz"])
def test_reads_both_packings(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(SMALL) if path.suffix == ".gz" else SMALL)
    np.testing.assert_array_equal(read_idx(path), [[0, 1, 2], [3, 4, 5]])


@settings(deadline=None, max_examples=30)
@given(st.integers(0, len(SMALL) - 1))
def test_every_cut_is_noticed(length: int) -> None:
    with pytest.raises(DatasetError):
        parse_idx(SMALL[:length], Path("cut"))


@pytest.mark.parametrize(
    "content",
    [SMALL + b"\0", b"\0\0\x0d\x01\0\0\0\0", b"\x89PNG\r\n", b"\0\0\x08\x01\xff\xff\xff\xff"],
    ids=["longer", "floats", "another format", "size beyond the content"],
)
def test_other_content_is_refused(content: bytes) -> None:
    with pytest.raises(DatasetError):
        parse_idx(content, Path("other"))


@pytest.mark.parametrize("content", [b"not gzip", gzip.compress(SMALL)[:-9]])
def test_broken_gzip_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.gz").write_bytes(content)
    with pytest.raises(DatasetError, match=r"a\.gz"):
        read_idx(tmp_path / "a.gz")
