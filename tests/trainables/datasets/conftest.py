"""No test here reads the user's data or leaves this machine unless it says so."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_outside_world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_OFFLINE", "1")
    monkeypatch.delenv("ORCHESTRATOR_MIRROR", raising=False)
    monkeypatch.delenv("ORCHESTRATOR_CACHE", raising=False)
    # A proxy of the machine must not see the requests to the test's own server.
    monkeypatch.setenv("no_proxy", "127.0.0.1")
