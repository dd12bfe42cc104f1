"""What a launch costs per cell beyond the cell itself.

    python benchmarks/driver_overhead.py --cells 200 2000

The cells are as near to nothing as real ones can be (one step on 20 synthetic images), go the whole
way through Ray Tune, training function and landing, and are compared with the same cells run one
after another in this process. Also: files left, the driver's memory, and how long `plan`, `status`,
`sql` and a second launch take. `tune_grid.py` does the like with Tune alone.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cluster.trial import run_cells
from orchestrator.plan.open import open_study
from orchestrator.sweep.attempt import LaunchSettings, Task

STUDY = """
study: noop
cell:
  dataset: {name: synthetic, like: mnist, images: 20}
  architecture: {name: mlp, hidden: [1]}
  loss: ce
  learning_rate: 0.1
  batch_size: 20
  epochs: 1
"""


@dataclass(frozen=True)
class Cost:
    """What a whole command took, from its start to its end.

    Args:
        seconds: wall time.
        cpu_seconds: of the process itself, all threads, without Ray's other processes; to 0.1 s.
        megabytes: peak memory.
    """

    seconds: float
    cpu_seconds: float
    megabytes: float


def orchestrate(*arguments: str) -> Cost:
    """Run a command that has to succeed."""
    started, cpu_seconds = time.perf_counter(), 0.0
    command = [sys.executable, "-m", "orchestrator", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    stat = Path(f"/proc/{process.pid}/stat")
    while True:
        ended, status, used = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        ticks = stat.read_text().rpartition(")")[2].split()[11:13]
        cpu_seconds = sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
        time.sleep(0.1)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return Cost(time.perf_counter() - started, cpu_seconds, used.ru_maxrss / 1024)


def median_seconds(*arguments: str) -> float:
    """Of five times the same command."""
    return sorted(orchestrate(*arguments).seconds for _ in range(5))[2]


def worker_settings(folder: Path, threads: int) -> LaunchSettings:
    """What a launch tells its workers, for cells that are run in this process."""
    return LaunchSettings(
        store=str(folder / "direct"),
        data_root=str(folder),
        study="direct",
        launch="direct",
        threads=threads,
        device="cpu",
        checkpoint_seconds=60,
        code_version="",
        code_dirty=None,
        packages="{}",
        drain_file=str(folder / "drain"),
    )


def tasks_of(study: Path, *overrides: str) -> list[Task]:
    """The cells of a study's first phase, as a worker gets them."""
    cells = [entry.cell for entry in open_study(study, overrides).expand({}) if entry.cell]
    return [Task(c.key, c.base_key, c.identity, c.revisions, c.config.to_dict()) for c in cells]


def direct_seconds_per_cell(study: Path, count: int) -> float:
    """The same cells in this process: training and landing, no Ray, one at a time."""
    settings = worker_settings(study.parent, threads=1)
    first, *tasks = tasks_of(study, f"seeds={count + 1}")
    run_cells([first], settings)
    started = time.perf_counter()
    for task in tasks:
        run_cells([task], settings)
    return (time.perf_counter() - started) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, nargs="+", default=[200, 2000])
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "noop.yaml").write_text(STUDY)
        direct = direct_seconds_per_cell(folder / "noop.yaml", 100)
        print(f"one cell in this process, without Ray: {1000 * direct:.1f} ms")
        study = str(folder / "noop.yaml")
        empty = orchestrate("launch", study, "seeds=1", "--store", f"{folder}/1")
        print(f"a launch of one cell: {empty.seconds:.1f} s", flush=True)
        for count in chosen.cells:
            measure(study, count, folder / str(count), empty, direct)


def measure(study: str, count: int, store: Path, empty: Cost, direct: float) -> None:
    """One launch of `count` cells, and what can be asked of it afterwards."""
    options = [f"seeds={count}", "--store", str(store)]
    launch = orchestrate("launch", study, *options)
    wall, cpu = (
        1000 * (many - one) / (count - 1)
        for many, one in (
            (launch.seconds, empty.seconds),
            (launch.cpu_seconds, empty.cpu_seconds),
        )
    )
    files = sum(path.is_file() for path in store.rglob("*"))
    plan, again = (orchestrate(verb, study, *options).seconds for verb in ("plan", "launch"))
    status = median_seconds("status", "noop", *options[1:])
    answer = median_seconds("sql", "select avg(test_accuracy) from cells", *options[1:])
    print(
        f"{count} cells: {wall:.1f} ms a cell, of which Ray and driver "
        f"{wall - 500 * direct:.1f} ms (two workers), processor time of the driver {cpu:.1f} ms; "
        f"{files} files left; driver {launch.megabytes:.0f} MB; plan {plan:.1f} s, second launch "
        f"{again:.1f} s, status {status:.2f} s, sql {answer:.2f} s from start to answer",
        flush=True,
    )


if __name__ == "__main__":
    main()
