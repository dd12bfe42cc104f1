"""An unfit folder is refused before the sweep, with the step that failed."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from storage.durable import LandingError
from storage.merging import export, merge
from storage.probe import check_folder, check_location, check_store, is_visible
from storage.segments.compaction import compact
from storage.store import Store


def test_a_fit_folder_keeps_one_file_for_others_to_see(tmp_path: Path) -> None:
    probe = check_folder(tmp_path / "store")
    assert is_visible(probe)
    assert [path.name for path in probe.parent.iterdir()] == [probe.name]
    probe.write_text("something else")
    assert not is_visible(probe)
    probe.unlink()
    assert not is_visible(probe)


@pytest.mark.parametrize(
    "address",
    ["s3://bucket/store", "gs:/bucket", "https://host/store", "S3://b", "r2:/b", "x+y://b"],
)
def test_an_address_is_no_folder(address: str) -> None:
    with pytest.raises(LandingError, match="a store is a folder"):
        check_location(Path(address))


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LandingError, match="is a file"):
        check_folder(tmp_path / "file")


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(LandingError, match="cannot hard-link a file"):
        check_folder(tmp_path)
    assert list((tmp_path / ".probe").iterdir()) == []


def test_a_file_system_whose_links_overwrite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overwrite(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes())

    monkeypatch.setattr(os, "link", overwrite)
    with pytest.raises(LandingError, match="does not refuse a hard link"):
        check_folder(tmp_path)


OPENERS = {
    "open": Store,
    "compact": compact,
    "merge into": lambda place: merge(Path(place), []),
    "merge from": lambda place: merge(Path("never-made"), [Path(place)]),
    "export to": lambda place: export(Path("never-made"), Path(place)),
}


@pytest.mark.parametrize("opener", OPENERS.values(), ids=OPENERS)
def test_every_way_into_a_store_refuses_what_is_no_folder(opener, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LandingError, match="s3://bucket/x: a store is a folder"):
        opener("s3://bucket/x")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(LandingError, match="is a file, not a folder"):
            opener(place)


def test_a_store_must_be_there_to_be_read(tmp_path: Path) -> None:
    with pytest.raises(LandingError, match="there is no store here"):
        check_store(tmp_path / "none")
    with pytest.raises(LandingError, match="is a folder but no store"):
        check_store(tmp_path)
    (tmp_path / "studies").mkdir()
    check_store(tmp_path)
