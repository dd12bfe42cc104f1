"""A link that a full disk refuses is not a file system without links."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from storage.durable import LandingError, put_if_absent


@pytest.mark.parametrize(
    ("number", "says_links"), [(errno.ENOSPC, False), (errno.EROFS, False), (errno.EPERM, True)]
)
def test_the_reason_is_told(
    number: int, says_links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(LandingError) as error:
        put_if_absent(tmp_path / "x.parquet", b"content")
    assert ("hard link" in str(error.value)) is says_links
    assert os.strerror(number) in str(error.value)
    assert not list(tmp_path.iterdir())
