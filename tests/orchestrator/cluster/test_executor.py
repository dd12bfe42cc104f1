"""What the executor knows of its cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cluster import executor
from orchestrator.cluster.executor import Executor
from orchestrator.study.resources import Resources


@pytest.mark.parametrize(
    ("address", "nodes", "has_token", "is_open"),
    [
        ("10.0.0.1:6379", ["10.0.0.1", "10.0.0.2"], False, True),
        ("10.0.0.1:6379", ["10.0.0.1"], True, False),
        ("127.0.0.2:6379", ["127.0.0.2", "127.0.0.2"], False, False),
        ("127.0.0.2:6379", ["127.0.0.2", "192.168.1.7"], False, True),
        (None, ["10.0.0.1"], False, False),
    ],
)
def test_a_cluster_that_others_reach_without_a_token_is_open(
    address: str | None,
    nodes: list[str],
    has_token: bool,
    is_open: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [{"NodeManagerAddress": node} for node in nodes]
    monkeypatch.setattr(executor.ray, "nodes", lambda: found)
    monkeypatch.setattr(executor, "is_token_auth_enabled", lambda: has_token)
    assert Executor(address, Resources(), tmp_path).is_open_to_anybody is is_open


@pytest.mark.parametrize(
    ("address", "asked"), [(None, "local"), ("10.0.0.1:6379", "10.0.0.1:6379")]
)
def test_without_an_address_no_cluster_of_this_machine_is_joined(
    address: str | None, asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ray start` leaves an address behind that Ray would take for the one meant."""
    monkeypatch.setattr(executor.os, "environ", {})
    given: list[str] = []
    monkeypatch.setattr(executor.ray, "init", lambda address, **_: given.append(address))
    with Executor(address, Resources(), tmp_path):
        pass
    assert given == [asked]
