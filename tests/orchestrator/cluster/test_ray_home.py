"""A private cluster's folder, token and doors are its owner's alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from ray._private import ray_constants, services

from orchestrator.cluster.ray_home import (
    LONGEST_FOLDER_BYTES,
    make_home,
    on_loopback,
    ray_home,
    sessions,
)
from orchestrator.sweep.errors import ExecutorError


@pytest.fixture
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """pytest's own folders are longer than a socket's path may be."""
    folder = Path("/tmp") / f"t-{os.getpid()}"
    folder.mkdir()
    yield folder
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_nobody_else_can_enter_the_folder_or_read_the_token(monkeypatch, short: Path) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(short))
    monkeypatch.setenv("RAY_AUTH_TOKEN", "known to others")
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    former = os.umask(0)
    try:
        with ray_home() as home:
            token = Path(os.environ["RAY_AUTH_TOKEN_PATH"])
            assert (home.parent, token.parent) == (short, home)
            assert (mode(home), mode(token)) == (0o700, 0o600)
            assert len(token.read_text()) == 64
            assert Path(sessions(home)).parent == home
            assert os.environ["RAY_AUTH_MODE"] == "token"
            assert "RAY_AUTH_TOKEN" not in os.environ  # Ray would prefer it to the file
    finally:
        os.umask(former)
    assert not home.exists()
    assert os.environ["RAY_AUTH_TOKEN"] == "known to others"
    assert "RAY_AUTH_MODE" not in os.environ


def test_each_cluster_has_a_token_of_its_own(monkeypatch, short: Path) -> None:
    monkeypatch.setenv("RAY_TMPDIR", str(short))
    tokens = set()
    for _ in range(2):
        with ray_home() as home:
            tokens.add((home / "token").read_text())
    assert len(tokens) == 2


def test_the_first_place_that_will_do_is_taken(short: Path, tmp_path: Path) -> None:
    long = tmp_path / ("x" * LONGEST_FOLDER_BYTES)
    long.mkdir()
    places = {"RAY_TMPDIR": "/proc/xyz", "TMPDIR": str(long)}
    assert make_home(places, [str(short)]).parent == short
    assert make_home({"TMPDIR": str(short)}, ["/proc"]).parent == short
    assert make_home({"TMPDIR": "relative"}, [str(short)]).parent == short


def test_without_any_place_one_line_says_what_each_lacks(tmp_path: Path) -> None:
    long = f"/tmp/{'x' * 200}"
    with pytest.raises(ExecutorError) as error:
        make_home({"RAY_TMPDIR": "/proc/xyz", "TMPDIR": long}, ["/proc"])
    text = str(error.value)
    assert "\n" not in text
    assert "RAY_TMPDIR=/proc/xyz: No such file or directory" in text
    assert "its path has 205 bytes" in text
    assert f"no more than {LONGEST_FOLDER_BYTES} bytes" in text


def test_the_longest_folder_leaves_room_for_the_longest_socket() -> None:
    session = "session_2026-11-25_09-47-57_212671_4194304"
    path = f"{'x' * LONGEST_FOLDER_BYTES}/nlo-8kf_1ebn/r/{session}/sockets/plasma_store"
    assert len(path) <= 107
    assert len("/run/user/1000") <= LONGEST_FOLDER_BYTES


def test_a_node_on_loopback_keeps_that_address(monkeypatch) -> None:
    """Ray would replace it by the outward one, and then listen on every address."""
    with on_loopback() as address:
        assert address == "127.0.0.1"
        assert services.resolve_ip_for_localhost(address) == address
    assert ray_constants.ENABLE_RAY_CLUSTER
    monkeypatch.delattr(ray_constants, "ENABLE_RAY_CLUSTER")  # as in another version of Ray
    with on_loopback() as address:
        assert address == "127.0.0.2"
