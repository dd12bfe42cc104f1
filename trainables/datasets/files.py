"""Files of data sets: where they may lie, and fetching them once if they are missing.

A missing file is downloaded from its mirrors under a lock, so that many workers fetch it once; it
is written aside, checked against its pinned digest and renamed. Offline, the error says what to put
where. Knows no file format.

Environment: `ORCHESTRATOR_OFFLINE` (any value) forbids downloads; `ORCHESTRATOR_MIRROR` is a base
URL or folder URL (`file:///…`) that is asked first.
"""

from __future__ import annotations

import hashlib
import os
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError

from filelock import FileLock

from trainables.datasets import DatasetError

CHUNK_BYTES = 1 << 20
TIMEOUT_SECONDS = 30
LIMIT_BYTES = 1 << 30
"""No data set fetched by us is larger; a mirror that sends more is cut off."""


@dataclass(frozen=True)
class Download:
    """One file of a data set.

    Args:
        name: file name, also on the mirrors.
        digest: `sha256:…` or `md5:…` of its content.
        mirrors: base URLs, tried in order.
        folders: folders below the data root where it may lie; downloads go to the first.
        alternatives: other names under which its content may lie there, such as the unpacked file.
    """

    name: str
    digest: str
    mirrors: tuple[str, ...]
    folders: tuple[str, ...]
    alternatives: tuple[str, ...] = ()


def find(download: Download, data_root: Path) -> Path | None:
    """The file, where it lies already; also directly in the data root."""
    for folder in (*download.folders, ""):
        for name in (download.name, *download.alternatives):
            path = data_root / folder / name
            if path.is_file():
                return path
    return None


def obtain(download: Download, data_root: Path) -> Path:
    """The file, downloaded at need. Raises DatasetError."""
    found = find(download, data_root)
    if found:
        return found
    if "ORCHESTRATOR_OFFLINE" in os.environ:
        raise DatasetError(_missing(download, data_root, "downloads are switched off"))
    target = data_root / download.folders[0] / download.name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):
            if not target.is_file():
                _fetch_from_any(download, target, data_root)
    except OSError as error:
        raise DatasetError(_missing(download, data_root, str(error))) from error
    return target


def matches(path: Path, digest: str) -> bool:
    """Whether a file's content has the digest `algorithm:hex`."""
    algorithm, _, expected = digest.partition(":")
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest() == expected


def _fetch_from_any(download: Download, target: Path, data_root: Path) -> None:
    problems = []
    for base in _mirrors(download):
        url = f"{base.rstrip('/')}/{download.name}"
        part = target.with_name(f".{target.name}.part")
        try:
            _fetch(url, part)
            if matches(part, download.digest):
                part.replace(target)
                return
            problems.append(f"{url}: the content has another digest than {download.digest}")
        except (URLError, OSError, ValueError) as error:
            problems.append(f"{url}: {getattr(error, 'reason', error)}")
        part.unlink(missing_ok=True)
    raise DatasetError(_missing(download, data_root, "; ".join(problems)))


def _mirrors(download: Download) -> tuple[str, ...]:
    own = os.environ.get("ORCHESTRATOR_MIRROR")
    return (own, *download.mirrors) if own else download.mirrors


def _fetch(url: str, part: Path) -> None:
    """Stream a URL into `part`. Raises OSError if it is cut short or larger than the limit."""
    if not url.startswith(("https://", "file://", "http://127.0.0.1")):
        raise ValueError("only https and file addresses are fetched")
    size = 0
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer, part.open("wb") as file:
        while chunk := answer.read(CHUNK_BYTES):
            size += len(chunk)
            if size > LIMIT_BYTES:
                raise OSError(f"it is larger than {LIMIT_BYTES} bytes")
            file.write(chunk)


def _missing(download: Download, data_root: Path, reason: str) -> str:
    places = " or ".join(str(data_root / folder / download.name) for folder in download.folders)
    return (
        f"{download.name} is not here and could not be fetched ({reason}). "
        f"Put it at {places}, or name the folder that has it with --data-root or ORCHESTRATOR_DATA"
    )
