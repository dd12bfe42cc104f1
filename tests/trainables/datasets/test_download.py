"""Downloads from a server on this machine that misbehaves in every way a mirror can."""

from __future__ import annotations

import hashlib
import multiprocessing
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from trainables.datasets import download
from trainables.datasets.download import DownloadError, Remote, fetch

CONTENT = bytes(range(256)) * 40
OTHER = b"x" * len(CONTENT)
DIGEST = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


class Mirror(BaseHTTPRequestHandler):
    """`/BEHAVIOUR/file`; notes every request and what part of the file it asked for."""

    requests: list[tuple[str, str | None]]

    def do_GET(self) -> None:
        behaviour, wanted = self.path.split("/")[1], self.headers["Range"]
        self.requests.append((behaviour, wanted))
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        match behaviour:
            case "absent":
                self.send_error(404)
            case "redirects":
                self.send_response(302)
                self.send_header("Location", "http://mirror.invalid/file")
                self.end_headers()
            case "wrong":
                self.answer(200, OTHER, len(OTHER))
            case "cuts":
                self.answer(200, CONTENT[: len(CONTENT) // 2], len(CONTENT))
            case "resumes" if start >= len(CONTENT):
                self.send_error(416)
            case "resumes" if start:
                self.answer(206, CONTENT[start:], len(CONTENT) - start)
            case _:
                self.answer(200, CONTENT, len(CONTENT))

    def answer(self, status: int, body: bytes, announced: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(announced))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    Mirror.requests = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch, no_outside_world: None) -> None:
    monkeypatch.delenv("ORCHESTRATOR_OFFLINE")


def remote(*mirrors: str) -> Remote:
    return Remote("file", DIGEST, mirrors, "folder")


def asked() -> list[str]:
    return [behaviour for behaviour, _ in Mirror.requests]


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if not path.name.endswith(".lock")]


def test_a_file_arrives_whole_and_alone(server: str, tmp_path: Path) -> None:
    target = fetch(remote(f"{server}/good"), tmp_path / "below" / "file")
    assert target.read_bytes() == CONTENT
    assert leftovers(target.parent) == ["file"]


def test_a_file_that_is_there_is_not_fetched(server: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"the user's")
    assert fetch(remote(f"{server}/good"), tmp_path / "file").read_bytes() == b"the user's"
    assert asked() == []


@pytest.mark.parametrize("broken", ["absent", "wrong", "cuts", "redirects"])
def test_the_next_mirror_helps(server: str, tmp_path: Path, broken: str) -> None:
    fetch(remote(f"{server}/{broken}", f"{server}/good"), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert asked() == [broken, "good"]


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("absent", "Not Found"),
        ("wrong", "another digest"),
        ("cuts", "cut short after 5120 of 10240 bytes"),
        ("redirects", "redirects to http://mirror.invalid"),
    ],
)
def test_the_error_has_each_mirrors_reason_and_nothing_is_put_in_place(
    server: str, tmp_path: Path, broken: str, words: str
) -> None:
    with pytest.raises(DownloadError, match=words) as caught:
        fetch(remote(f"{server}/{broken}", "http://mirror.invalid"), tmp_path / "file")
    assert f"{server}/{broken}/file" in str(caught.value)
    assert "only https and file addresses" in str(caught.value)
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("address", ["http://127.0.0.1.mirror.invalid", "ftp://mirror.invalid"])
def test_plain_http_is_for_this_machine_alone(tmp_path: Path, address: str) -> None:
    with pytest.raises(DownloadError, match="only https and file addresses"):
        fetch(remote(address), tmp_path / "file")


def test_a_cut_download_goes_on_where_it_stopped(server: str, tmp_path: Path) -> None:
    fetch(remote(f"{server}/cuts", f"{server}/resumes"), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert Mirror.requests == [("cuts", None), ("resumes", "bytes=5120-")]


def test_a_later_run_goes_on_where_a_former_one_stopped(server: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError):
        fetch(remote(f"{server}/cuts"), tmp_path / "file")
    fetch(remote(f"{server}/resumes"), tmp_path / "file")
    assert Mirror.requests[-1] == ("resumes", "bytes=5120-")


def test_a_part_of_another_file_is_dropped(server: str, tmp_path: Path) -> None:
    (tmp_path / ".file.part").write_bytes(OTHER[:100])
    fetch(remote(f"{server}/resumes"), tmp_path / "file")
    assert Mirror.requests == [("resumes", "bytes=100-"), ("resumes", None)]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_whole_part_needs_no_byte_more(server: str, tmp_path: Path) -> None:
    (tmp_path / ".file.part").write_bytes(CONTENT)
    fetch(remote(f"{server}/resumes"), tmp_path / "file")
    assert Mirror.requests == [("resumes", "bytes=10240-")]


def test_a_mirror_that_sends_too_much_is_cut_off(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "LIMIT_BYTES", len(CONTENT) - 1)
    with pytest.raises(DownloadError, match="larger than 10239 bytes"):
        fetch(remote(f"{server}/good"), tmp_path / "file")
    assert leftovers(tmp_path) == []


def test_the_users_mirror_is_asked_first_in_its_folder_then_flat(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_MIRROR", (tmp_path / "own").as_uri())
    (tmp_path / "own" / "folder").mkdir(parents=True)
    for place in ("own/folder/file", "own/file"):
        (tmp_path / place).write_bytes(CONTENT)
        fetch(remote(f"{server}/good"), tmp_path / "file")
        assert asked() == []
        (tmp_path / "file").unlink()
        (tmp_path / place).unlink()
    fetch(remote(f"{server}/good"), tmp_path / "file")
    assert asked() == ["good"]


@pytest.mark.parametrize("value", ["1", "true"])
def test_offline_asks_nobody(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_OFFLINE", value)
    with pytest.raises(DownloadError, match="ORCHESTRATOR_OFFLINE"):
        fetch(remote(f"{server}/good"), tmp_path / "file")
    assert asked() == []


def test_a_folder_that_cannot_be_made_is_an_error_of_the_download(tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")
    with pytest.raises(DownloadError, match="a file"):
        fetch(remote("https://mirror.invalid"), tmp_path / "a file" / "file")


def test_eight_threads_fetch_once(server: str, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        targets = pool.map(lambda _: fetch(remote(f"{server}/good"), tmp_path / "file"), range(8))
        assert {target.read_bytes() for target in targets} == {CONTENT}
    assert asked() == ["good"]


@pytest.mark.slow
def test_four_processes_fetch_once(server: str, tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        jobs = [(remote(f"{server}/good"), tmp_path / "file")] * 4
        assert pool.starmap(fetch, jobs) == [tmp_path / "file"] * 4
    assert asked() == ["good"]
