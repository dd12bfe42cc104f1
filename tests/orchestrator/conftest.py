"""Study texts → parsed studies and cells."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.cell import StudyCell
from orchestrator.grid import expand
from orchestrator.source import Source, load_source
from orchestrator.study import Study, parse_study
from tests.orchestrator.bench import Bench
from trainables import catalog

HEAD = """
study: demo
cell:
  dataset: fashion-mnist-small
  architecture: {name: mlp, hidden: [8]}
  learning_rate: 0.1
  epochs: 2
losses: {CE: ce, "MAE*": {name: mae, logit_bias: 0.5}, genCE: {name: gce, q: 0.7}}
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str, name: str = "demo.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


@pytest.fixture
def opened(write) -> Callable[..., tuple[Study, Source]]:
    def opened(body: str, *overrides: str, head: str = HEAD) -> tuple[Study, Source]:
        source = load_source(write(head + body), overrides)
        return parse_study(source), source

    return opened


@pytest.fixture
def cells(opened) -> Callable[..., tuple[StudyCell, ...]]:
    def cells(body: str, *overrides: str, picks=None, head: str = HEAD) -> tuple[StudyCell, ...]:
        return expand(*opened(body, *overrides, head=head), catalog, picks)

    return cells


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A folder with a store, the current folder of the test."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # files change within a second here
    bench = Bench(folder, tmp_path / "store")
    yield bench
    bench.fresh()
