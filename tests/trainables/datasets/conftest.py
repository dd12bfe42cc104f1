"""No test here reads the user's data or leaves this machine unless it says so."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_outside_world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_OFFLINE", "1")
    monkeypatch.delenv("ORCHESTRATOR_MIRROR", raising=False)
    monkeypatch.delenv("ORCHESTRATOR_CACHE", raising=False)
