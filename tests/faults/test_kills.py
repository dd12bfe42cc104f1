"""A quick form of `kills.py`: one SIGKILL of the driver, one of a worker."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def kills() -> ModuleType:
    spec = importlib.util.spec_from_file_location("kills", Path(__file__).with_name("kills.py"))
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["kills"] = module
    spec.loader.exec_module(module)
    return module


def test_nothing_is_lost_doubled_or_different(kills, tmp_path: Path) -> None:
    verdict = kills.run(("driver", "worker"), 2, tmp_path, seed=1, seeds=2, size=4000)
    assert verdict.kills == 2
    assert verdict.cells == 12
    assert (verdict.lost, verdict.doubled, verdict.differing) == (0, 0, 0)
