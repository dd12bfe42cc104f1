"""How long do `plan` and a launch with nothing to do take, by the number of cells?

    python benchmarks/plan_scale.py                  # 10,000 and 50,000 cells
    python benchmarks/plan_scale.py --tiny           # 200 cells: does it run at all?

The store is written through the storage's own functions, as a finished sweep would have left it, so
no cell is trained. Processor time is that of the whole command, interpreter and imports included;
wall time depends on what else runs on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import duckdb
import pyarrow as pa

from orchestrator.plan.expectations import sources_text
from orchestrator.plan.open import open_study
from orchestrator.study.cell import Cell
from storage.attempt import Attempt
from storage.checking.content import as_row
from storage.reader import conform
from storage.schema import (
    SCHEMA_VERSION,
    VERSION_KEY,
    attempt_schema,
    segment_attempts_schema,
    segment_curves_schema,
)
from storage.segments.files import switch_current, write_segment
from storage.store import read_view

STUDY = """
study: scale
cell:
  dataset: {name: synthetic, like: mnist, images: 20}
  architecture: {name: mlp, hidden: [1]}
  learning_rate: 0.1
  batch_size: 20
  epochs: 1
losses: {CE: ce, MAE: mae, GCE: {name: gce, q: 0.7}, "MAE*": {name: mae, logit_bias: 0.5}}
grid:
  loss: all
  noise.kind: symmetric
  noise.rate: [0, 0.2, 0.4, 0.6, 0.8]
tables: {accuracy: {rows: [loss], columns: [noise.rate]}}
"""
CELLS_A_SEED = 20
SEGMENT_ROWS = 2500
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Cost:
    """Of one command: wall time, processor time, peak memory."""

    seconds: float
    cpu_seconds: float
    megabytes: float


def measure(*command: str) -> Cost:
    """Run a command that has to succeed."""
    started = time.perf_counter()
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    seconds = time.perf_counter() - started
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def fill(root: Path, cells: Sequence[Cell]) -> None:
    """Write a finished result of each cell, in segments."""
    segments = []
    for start in range(0, len(cells), SEGMENT_ROWS):
        rows = [as_row(finished(cell)) for cell in cells[start : start + SEGMENT_ROWS]]
        landed = pa.Table.from_pylist(rows, schema=attempt_schema())
        with duckdb.connect(":memory:") as connection:
            connection.execute("set timezone = 'UTC'")
            connection.register("landed_rows", landed)
            connection.execute(read_view("landed_summaries"))
            attempts = connection.view("landed_summaries").to_arrow_table()
        version = {VERSION_KEY: str(SCHEMA_VERSION).encode()}
        curves = landed.select(segment_curves_schema().names).replace_schema_metadata(version)
        attempts = conform(attempts, segment_attempts_schema()).replace_schema_metadata(version)
        segments.append(write_segment(root, attempts, curves))
    switch_current(root, segments)


def finished(cell: Cell) -> Attempt:
    """A result of a cell, as this code would have made it."""
    config = cell.config
    return Attempt(
        key=cell.key, base_key=cell.base_key, attempt=cell.key[:32], outcome="finished",
        config=json.dumps(config.to_dict(), sort_keys=True), identity=cell.identity,
        revisions=json.dumps(dict(cell.revisions), sort_keys=True),
        sources=sources_text(config, frozenset()), dataset=config.dataset.name,
        noise=config.noise.name, noise_rate=config.noise.get("rate", 0.0),
        architecture=config.architecture.name, loss=config.loss.name,
        loss_parameters=json.dumps(config.loss.as_dict(), sort_keys=True),
        learning_rate=config.learning_rate, batch_size=config.batch_size,
        num_epochs=config.epochs, precision=config.precision, seed=config.seed, study="scale",
        launch="launch", started_at=START, committed_at=START + timedelta(minutes=1), host="node",
        device="cpu", code_version="0" * 40, code_dirty=False,
        packages=json.dumps({"torch": "2"}), num_classes=10, seconds=30.0, num_threads=1,
        stack_size=1, stack_position=0,
        curves={"epoch": (1,), "epoch_learning_rate": (0.1,), "test_accuracy": (0.5,),
                "test_loss": (1.0,)},
    )  # fmt: skip


def show(what: str, cost: Cost) -> None:
    print(
        f"{what:44} {cost.cpu_seconds:7.2f} s of processor time, {cost.seconds:7.2f} s, "
        f"{cost.megabytes:6.0f} MB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="+", default=[10_000, 50_000])
    parser.add_argument("--tiny", action="store_true", help="200 cells alone")
    chosen = parser.parse_args()
    for count in [200] if chosen.tiny else chosen.cells:
        with tempfile.TemporaryDirectory(prefix="plan-scale-") as folder:
            measure_cells(count, Path(folder))


def measure_cells(count: int, folder: Path) -> None:
    """What each command takes with `count` cells."""
    study, store = folder / "scale.yaml", folder / "store"
    study.write_text(STUDY)
    override = f"seeds={count // CELLS_A_SEED}"
    cells = [entry.cell for entry in open_study(study, [override]).expand({}) if entry.cell]
    fill(store, cells)
    print(f"{len(cells):,} cells")
    asked = ("-m", "orchestrator", "plan", str(study), override, "--store")
    show("plan, nothing done", measure(*asked, str(folder / "empty")))
    show("plan, everything done", measure(*asked, str(store)))
    launch = ("-m", "orchestrator", "launch", str(study), override, "--store", str(store))
    show("launch, everything done, first time", measure(*launch))
    show("launch, everything done, second time", measure(*launch))
    ask = f"import storage; storage.Store({str(store)!r}, read_only=True)"
    nothing = measure("-c", "import storage.store, orchestrator.cli")
    opened = measure("-c", f"import orchestrator.cli; {ask}")
    opening = opened.cpu_seconds - nothing.cpu_seconds
    print(f"{'opening the store, without imports':44} {opening:7.2f} s of processor time")


if __name__ == "__main__":
    main()
