"""Fetching one file of a data set, once, from the first mirror that has the right content.

Many workers may ask at the same time: one downloads under a lock, the others find the file. It is
written aside (`.NAME.part`, continued after a cut), checked against its pinned digest and renamed.
Knows neither data sets nor file formats.

Environment: `ORCHESTRATOR_OFFLINE=1` forbids downloads; `ORCHESTRATOR_MIRROR` is a base address
(`https://…` or a folder as `file:///…`) that is asked first.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, Request, build_opener

from filelock import FileLock

CHUNK_BYTES = 1 << 20
TIMEOUT_SECONDS = 30
LIMIT_BYTES = 1 << 30
"""No file fetched by us is larger; a mirror that sends more is cut off."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")
RANGE_NOT_SATISFIABLE = 416
PARTIAL_CONTENT = 206


class DownloadError(Exception):
    """No mirror gave the file; the text has the reason for each."""


class _WrongContentError(ValueError):
    """A mirror sent something else than the file."""


@dataclass(frozen=True)
class Remote:
    """One file that can be downloaded.

    Args:
        name: file name, on the mirrors too.
        digest: `sha256:…` or `md5:…` of its content.
        mirrors: base addresses, tried in order.
        folder: folder on the user's own mirror, where two data sets may have files of one name.
    """

    name: str
    digest: str
    mirrors: tuple[str, ...]
    folder: str


def fetch(remote: Remote, target: Path) -> Path:
    """Download to `target` unless it is there already. Raises DownloadError."""
    if os.environ.get("ORCHESTRATOR_OFFLINE", "0") not in ("", "0"):
        raise DownloadError("ORCHESTRATOR_OFFLINE forbids downloads")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f".{target.name}.lock")):
            if not target.is_file():
                _fetch_from_any(remote, target)
    except OSError as error:
        raise DownloadError(str(error)) from error
    return target


def matches(path: Path, digest: str) -> bool:
    """Whether a file's content has the digest `algorithm:hex`."""
    algorithm, _, expected = digest.partition(":")
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest() == expected


def _fetch_from_any(remote: Remote, target: Path) -> None:
    part = target.with_name(f".{target.name}.part")
    problems = []
    for url in _addresses(remote):
        try:
            _fetch_checked(url, part, remote.digest)
        except _WrongContentError as error:
            part.unlink(missing_ok=True)
            problems.append(f"{url}: {error}")
        except HTTPError as error:
            error.close()
            problems.append(f"{url}: {error.code} {error.reason}")
        except (OSError, HTTPException) as error:
            # What has arrived stays: the next mirror, or the next run, goes on from there.
            problems.append(f"{url}: {getattr(error, 'reason', None) or error}")
        else:
            part.replace(target)
            return
    raise DownloadError("; ".join(problems))


def _addresses(remote: Remote) -> Iterator[str]:
    own = os.environ.get("ORCHESTRATOR_MIRROR", "").rstrip("/")
    if own:
        yield f"{own}/{remote.folder}/{remote.name}"
        yield f"{own}/{remote.name}"
    for base in remote.mirrors:
        yield f"{base}/{remote.name}"


def _fetch_checked(url: str, part: Path, digest: str) -> None:
    """Bring `part` to the content with this digest, going on from what is there if that fits."""
    if part.exists():
        try:
            _stream(url, part)
        except HTTPError as error:
            # The server has nothing beyond what is there: it is whole, or of another file.
            if error.code != RANGE_NOT_SATISFIABLE:
                raise
            error.close()
        if matches(part, digest):
            return
        part.unlink()
    _stream(url, part)
    if not matches(part, digest):
        raise _WrongContentError(f"its content has another digest than {digest}")


def _stream(url: str, part: Path) -> None:
    """Append the rest of a file to `part`, or write it whole if the server cannot send a rest."""
    if not _is_allowed(url):
        raise URLError("only https and file addresses are fetched")
    start = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "noisy-label-orchestrator"}
    if start:
        headers["Range"] = f"bytes={start}-"
    with _opener().open(Request(url, headers=headers), timeout=TIMEOUT_SECONDS) as answer:
        is_rest = answer.status == PARTIAL_CONTENT
        with part.open("ab" if is_rest else "wb") as file:
            received = _copy(answer, file, LIMIT_BYTES - (start if is_rest else 0))
        announced = answer.headers.get("Content-Length")
    # Reading in chunks ends quietly when the connection breaks.
    if announced is not None and received != int(announced):
        raise URLError(f"cut short after {received} of {announced} bytes")


def _copy(source: IO[bytes], file: IO[bytes], limit_bytes: int) -> int:
    received = 0
    while chunk := source.read(CHUNK_BYTES):
        received += len(chunk)
        if received > limit_bytes:
            raise _WrongContentError(f"it is larger than {LIMIT_BYTES} bytes")
        file.write(chunk)
    return received


def _is_allowed(url: str) -> bool:
    """https, a local file, or plain http within this machine."""
    address = urlsplit(url)
    return address.scheme in ("https", "file") or (
        address.scheme == "http" and address.hostname in LOOPBACK
    )


class _SafeRedirects(HTTPRedirectHandler):
    """Follows a redirect only to an address that could have been asked for directly."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> Request | None:
        if not _is_allowed(newurl):
            raise URLError(f"it redirects to {newurl}, only https and file addresses are fetched")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _opener() -> OpenerDirector:
    return build_opener(_SafeRedirects)
