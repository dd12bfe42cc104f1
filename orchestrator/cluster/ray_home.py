"""Where a private cluster lives: a folder and a token of its own, doors on loopback only.

Ray's own choices are open ones: a folder that everybody can write to, a token file that everybody
can read, and ports on every address of the machine.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ray._private import ray_constants
from ray._raylet import AuthenticationTokenLoader, Config  # type: ignore[attr-defined]

from orchestrator.sweep.errors import ExecutorError

VARIABLES = ("RAY_TMPDIR", "TMPDIR")
"""Where a user says that temporary files go; the first that will do is taken."""

FALLBACKS = ("/tmp", "/var/tmp", "/dev/shm")
"""Short folders that a machine has, for when none of the variables will do."""

LONGEST_SOCKET_BYTES = 107 if sys.platform == "linux" else 103
SOCKET = "/nlo-12345678/r/session_2026-01-01_00-00-00_000000_1234567/sockets/plasma_store.12"
LONGEST_FOLDER_BYTES = LONGEST_SOCKET_BYTES - len(SOCKET)
"""The operating system has a limit for the path of a socket, and Ray's own part of it is long."""


@contextmanager
def ray_home() -> Iterator[Path]:
    """A folder for one private cluster, with the token that opens it; removed at the end.

    Inside the block this process, and what it starts, use the folder and the token.

    Returns:
        The folder; only its owner can enter it.

    Raises:
        ExecutorError: there is no folder that Ray could live in.
    """
    home = make_home(os.environ)
    try:
        token = home / "token"
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32))
        with _environment(
            {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token), "RAY_AUTH_TOKEN": None}
        ):
            yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def sessions(home: Path) -> str:
    """Ray's own folder within a home: it opens that to everybody, the home stays shut."""
    return str(home / "r")


@contextmanager
def on_loopback() -> Iterator[str | None]:
    """Within, Ray takes 127.0.0.1 for the address of a node and listens nowhere else.

    Ray replaces a loopback address by the outward one, unless the machine is one on which it
    starts no clusters; with any other address of a node it listens on all of them.
    """
    if not hasattr(ray_constants, "ENABLE_RAY_CLUSTER"):
        yield "127.0.0.2" if sys.platform == "linux" else None
        return
    former = ray_constants.ENABLE_RAY_CLUSTER
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield "127.0.0.1"
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = former


def make_home(environment: Mapping[str, str], fallbacks: Sequence[str] = FALLBACKS) -> Path:
    """A new folder, shut to others, in the first place that will do. Raises ExecutorError."""
    places = {environment[name]: f"{name}=" for name in VARIABLES if environment.get(name)}
    places |= {folder: "" for folder in fallbacks if folder not in places}
    reasons = []
    for folder, origin in places.items():
        try:
            return _made_in(folder)
        except OSError as error:
            reasons.append(f"{origin}{_shortened(folder)}: {error.strerror or error}")
    raise ExecutorError(
        f"Ray finds no folder for its sockets ({'; '.join(reasons)}); RAY_TMPDIR can name one "
        f"that can be written and whose path has no more than {LONGEST_FOLDER_BYTES} bytes"
    )


def _made_in(folder: str) -> Path:
    """Raises OSError where no sockets can be made, or where their paths would be too long."""
    length = len(os.fsencode(folder))
    if length > LONGEST_FOLDER_BYTES:
        raise OSError(f"its path has {length} bytes")
    if not os.path.isabs(folder):  # noqa: PTH117 - said of the text, not of a path made of it
        raise OSError("its path does not begin at the root")
    home = Path(tempfile.mkdtemp(prefix="nlo-", dir=folder))
    try:
        (home / "space").write_bytes(bytes(4096))
        (home / "space").unlink()
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(str(home / "door"))
        (home / "door").unlink()
    except OSError:
        shutil.rmtree(home, ignore_errors=True)
        raise
    return home


def _shortened(folder: str) -> str:
    return folder if len(folder) <= 60 else f"{folder[:57]}..."


@contextmanager
def _environment(changes: Mapping[str, str | None]) -> Iterator[None]:
    """Variables of the environment, and Ray's copies of them, until the block ends."""
    former = {name: os.environ.get(name) for name in changes}
    _set(changes)
    try:
        yield
    finally:
        _set(former)


def _set(changes: Mapping[str, str | None]) -> None:
    for name, value in changes.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()
