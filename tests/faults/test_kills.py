"""A quick form of `kills.py`: two SIGKILLs of the driver, two of workers."""

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


@pytest.mark.parametrize(("kind", "count"), [("driver", 2), ("worker", 2)])
def test_nothing_is_lost_doubled_or_different(kills, tmp_path: Path, kind: str, count: int) -> None:
    verdict = kills.run(kind, count, tmp_path, seed=1, seeds=2, size=4000)
    assert verdict.kills == count
    assert verdict.cells == 12
    assert (verdict.lost, verdict.doubled, verdict.differing) == (0, 0, 0)
