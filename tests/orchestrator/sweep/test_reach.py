"""Whether somebody speaks at a Ray address, found out in seconds."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from orchestrator.sweep import reach
from orchestrator.sweep.errors import ExecutorError
from orchestrator.sweep.reach import check_speaks, split

SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"


@contextmanager
def listener(answer: Callable[[socket.socket], object]) -> Iterator[str]:
    """The address of somebody who deals with one caller so."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            caller, _ = server.accept()
            with caller:
                answer(caller)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join(5)


def test_one_that_answers_as_grpc_does_is_taken() -> None:
    with listener(lambda caller: (caller.recv(100), caller.sendall(SETTINGS))) as address:
        check_speaks(address)


def test_one_that_accepts_and_never_speaks_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "ANSWER_SECONDS", 0.2)
    over = threading.Event()
    began = time.monotonic()
    with listener(lambda _: over.wait(5)) as address:
        with pytest.raises(ExecutorError, match=rf"at {address}: no answer within 0.2 s"):
            check_speaks(address)
        over.set()
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("words", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n", b""])
def test_one_that_speaks_otherwise_is_no_ray(words: bytes) -> None:
    with (
        listener(lambda caller: (caller.recv(100), caller.sendall(words))) as address,
        pytest.raises(ExecutorError, match=r"speaks no gRPC|reset"),
    ):
        check_speaks(address)


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ExecutorError, match=f"127.0.0.1:{port}: connection refused"):
        check_speaks(f"127.0.0.1:{port}")


def test_a_name_of_no_machine() -> None:
    with pytest.raises(ExecutorError, match=r"at no-such-machine.invalid:6379: no machine"):
        check_speaks("no-such-machine.invalid:6379")


@pytest.mark.parametrize(
    "address", ["here", "", ":6379", "host:", "host:ray", "host:70000", "ray:"]
)
def test_an_address_without_a_port_is_refused(address: str) -> None:
    with pytest.raises(ExecutorError, match="HOST:PORT"):
        split(address)


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("head:6379", ("head", 6379)),
        ("ray://10.0.0.1:10001", ("10.0.0.1", 10001)),
        ("[::1]:6379", ("::1", 6379)),
    ],
)
def test_addresses_are_taken_apart(address: str, parts: tuple[str, int]) -> None:
    assert split(address) == parts
