"""A private cluster that really runs: what listens, who can enter, what is left behind."""

from __future__ import annotations

import ipaddress
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from orchestrator.cluster.executor import Executor
from orchestrator.study.resources import Resources

LISTENING = "0A"

STRANGER = """
import sys
from ray._raylet import GcsClient
try:
    GcsClient(address=sys.argv[1]).internal_kv_keys(b"", None, timeout=10)
except BaseException as error:
    sys.exit(f"refused: {type(error).__name__}: {error}")
print("let in")
"""


def descendants(parent: int) -> set[int]:
    """Processes that came from `parent`, with it; none where there is no /proc."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(entry.name)] = int(fields[1])
    found, more = {parent}, {parent}
    while more := {pid for pid, of in parents.items() if of in more}:
        found |= more
    return found


def sockets(pids: set[int]) -> set[str]:
    """Inodes of the sockets that processes hold."""
    links = set()
    for pid in pids:
        for link in Path(f"/proc/{pid}/fd").glob("*"):
            try:
                links.add(str(link.readlink()))
            except OSError:
                continue
    return {link[8:-1] for link in links if link.startswith("socket:[")}


def listening(pids: set[int]) -> Iterator[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """Addresses on which processes wait for connections."""
    ours = sockets(pids)
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING and fields[9] in ours:
                words = bytes.fromhex(fields[1].partition(":")[0])
                parts = [words[i : i + 4][::-1] for i in range(0, len(words), 4)]
                address = ipaddress.ip_address(b"".join(parts))
                yield getattr(address, "ipv4_mapped", None) or address


def outward_address() -> str | None:
    """Of this machine, as others see it; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return str(probe.getsockname()[0])


def enter(address: str, **variables: str) -> str:
    """Somebody tries to use the head of a cluster; the end of what is said then."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = [sys.executable, "-c", STRANGER, address]
    tried = subprocess.run(
        command, env=kept | variables, capture_output=True, text=True, timeout=120, check=False
    )
    return (tried.stdout + tried.stderr)[-2000:]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_only_its_owner_can_use_a_private_cluster(tmp_path: Path) -> None:
    with Executor(None, Resources(), tmp_path / "scratch"):
        token = Path(os.environ["RAY_AUTH_TOKEN_PATH"])
        home = token.parent
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        assert stat.S_IMODE(token.stat().st_mode) == 0o600

        doors = list(listening(descendants(os.getpid())))
        assert len(doors) >= 3
        assert all(door.is_loopback for door in doors), doors

        inside = ray.get_runtime_context().gcs_address
        port = inside.rpartition(":")[2]
        if (outside := outward_address()) and not outside.startswith("127."):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((outside, int(port)), timeout=5)
        right, wrong = token.read_text(), "0" * 64
        assert "let in" in enter(inside, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=right)
        assert "refused" in enter(inside, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=wrong)
        assert "refused" in enter(inside, RAY_AUTH_MODE="disabled")
    assert not home.exists()
