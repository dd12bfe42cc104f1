"""Study texts → parsed studies and cells."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.plan.expectations import sources_text
from orchestrator.study.cell import Cell, StudyCell, make_cell
from orchestrator.study.grid import expand
from orchestrator.study.model import Study, parse_study
from orchestrator.study.text import Source, load_source
from storage.attempt import Attempt, PlannedCell, StudyRecord
from storage.landing import land_attempt, land_study
from storage.reporting.spec import TableSpec
from storage.store import Store
from tests.orchestrator.bench import Bench
from trainables import components

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
        return expand(*opened(body, *overrides, head=head), components, picks)

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


START = datetime(2026, 1, 1, 12, tzinfo=UTC)
DATA = {"name": "synthetic", "like": "fashion-mnist", "images": 64}
TABLES = {"accuracy": TableSpec(rows=("loss",), columns=("noise.rate",))}


@dataclass(frozen=True)
class Shelf:
    """A store that is filled without training: results of cells as this code would make them."""

    root: Path

    @property
    def store(self) -> Store:
        return Store(self.root)

    def cell(self, loss: str | Mapping[str, Any] = "ce", seed: int = 0, **fields: Any) -> Cell:
        noise = {"kind": "symmetric", "rate": fields.pop("rate", 0)}
        given = {"dataset": DATA, "architecture": {"name": "mlp", "hidden": [4]}, "noise": noise}
        more = {"learning_rate": 0.1, "epochs": 2, "batch_size": 32, **fields}
        return make_cell(
            components.build_config({**given, "loss": loss, "seed": seed, **more}), components
        )

    def result(self, cell: Cell, accuracy: float = 0.5, **changes: Any) -> str:
        """Land a result and return its attempt."""
        curves = {
            "epoch": (1, 2),
            "epoch_learning_rate": (cell.config.learning_rate,) * 2,
            "test_accuracy": (0.25, accuracy),
            "test_loss": (2.0, 1.0),
        }
        attempt = attempt_at(cell, **{"curves": curves, **changes})
        land_attempt(self.root, attempt)
        return attempt.attempt

    def failure(self, cell: Cell, message: str, **changes: Any) -> None:
        facts = {"outcome": "failed", "error_class": "exception", "error_message": message}
        attempt = attempt_at(cell, **{**facts, "attempt": message.replace(" ", "-"), **changes})
        land_attempt(self.root, dataclasses.replace(attempt, seconds=None, num_classes=None))

    def study(
        self,
        name: str,
        cells: Sequence[tuple[str, Cell]],
        tables: Mapping[str, TableSpec] = TABLES,
        **changes: Any,
    ) -> None:
        """Record a study: the labels of its losses with its cells."""
        planned = [planned_at(name, i, label, cell) for i, (label, cell) in enumerate(cells)]
        facts = {"title": "", "source_path": f"{name}.yaml", "source_sha256": "0" * 64}
        facts |= {"source_text": "", "overrides": (), "launch": "launch-1"}
        facts |= {"recorded_at": START, "code_version": "abc"}
        record = StudyRecord(name=name, tables=tables, planned=tuple(planned), **facts)
        land_study(self.root, dataclasses.replace(record, **changes))


def attempt_at(cell: Cell, **changes: Any) -> Attempt:
    config = cell.config
    fields: dict[str, Any] = {
        "key": cell.key,
        "base_key": cell.base_key,
        "attempt": f"{cell.key[:8]}-{changes.get('edition', 0)}",
        "outcome": "finished",
        "config": json.dumps(config.to_dict(), sort_keys=True),
        "identity": cell.identity,
        "revisions": json.dumps(dict(cell.revisions), sort_keys=True),
        "sources": sources_text(config, frozenset()),
        "dataset": config.dataset.name,
        "noise": config.noise.name,
        "noise_rate": config.noise.get("rate", 0.0),
        "architecture": config.architecture.name,
        "loss": config.loss.name,
        "loss_parameters": json.dumps(config.loss.as_dict(), sort_keys=True),
        "learning_rate": config.learning_rate,
        "batch_size": config.batch_size,
        "num_epochs": config.epochs,
        "precision": config.precision,
        "seed": config.seed,
        "study": "demo",
        "launch": "launch-1",
        "started_at": START,
        "committed_at": START + timedelta(minutes=changes.get("edition", 0)),
        "host": "node",
        "device": "cpu",
        "code_version": "0123456789abcdef",
        "code_dirty": False,
        "packages": json.dumps({"torch": "2.9"}),
        "num_classes": 10,
        "seconds": 30.0,
        "num_threads": 1,
        "stack_size": 1,
        "stack_position": 0,
    }
    return Attempt(**{**fields, **changes})


def planned_at(study: str, position: int, label: str, cell: Cell) -> PlannedCell:
    config = cell.config
    rate = str(config.noise.get("rate", 0))
    return PlannedCell(
        study=study,
        phase="main",
        position=position,
        key=cell.key,
        base_key=cell.base_key,
        seed=config.seed,
        axes={"loss": label, "noise.rate": rate, "learning_rate": str(config.learning_rate)},
        config=json.dumps(config.to_dict(), sort_keys=True),
        skipped=None,
        revisions=json.dumps(dict(cell.revisions), sort_keys=True),
        sources=sources_text(config, frozenset()),
    )


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "store")
