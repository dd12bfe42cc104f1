"""Whether somebody speaks at a Ray address, asked before Ray is, which would wait for ever.

Ray's servers speak gRPC, which is HTTP/2: they answer the opening words of that protocol with a
frame of settings. Knows no Ray.
"""

from __future__ import annotations

import os
import socket

from orchestrator.sweep.errors import ExecutorError

ANSWER_SECONDS = 3.0
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
"""The opening words, and an empty frame of settings."""

SETTINGS_FRAME = 4
FRAME_HEADER_BYTES = 9


def check_speaks(address: str) -> None:
    """Raise ExecutorError unless something at `address` (`host:port`) answers like Ray."""
    host, port = split(address)
    try:
        with socket.create_connection((host, port), ANSWER_SECONDS) as connection:
            if os.environ.get("RAY_USE_TLS") == "1":
                return  # it speaks to none but those with a certificate
            answer = _greet(connection)
    except socket.gaierror as error:
        raise ExecutorError(f"no Ray cluster at {address}: no machine of that name") from error
    except TimeoutError as error:
        reason = f"no answer within {ANSWER_SECONDS:g} s"
        raise ExecutorError(f"no Ray cluster at {address}: {reason}") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ExecutorError(f"no Ray cluster at {address}: {reason}") from error
    if len(answer) < FRAME_HEADER_BYTES or answer[3] != SETTINGS_FRAME:
        raise ExecutorError(f"no Ray cluster at {address}: what listens there speaks no gRPC")


def split(address: str) -> tuple[str, int]:
    """`host:port`, with or without a scheme, → both. Raises ExecutorError."""
    host, _, port = address.rpartition("://")[2].rstrip("/").rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ExecutorError(f"a Ray address is HOST:PORT, such as 10.0.0.1:6379, not {address!r}")
    return host.strip("[]"), int(port)


def _greet(connection: socket.socket) -> bytes:
    connection.settimeout(ANSWER_SECONDS)
    connection.sendall(PREFACE)
    answer = b""
    while len(answer) < FRAME_HEADER_BYTES and (more := connection.recv(FRAME_HEADER_BYTES)):
        answer += more
    return answer
