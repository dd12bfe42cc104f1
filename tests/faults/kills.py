"""SIGKILL a study at random moments, launch it again, and compare with an undisturbed run.

    python tests/faults/kills.py --kind driver --kills 20

Prints how many cells were lost, doubled or differ; all must be 0. Ends only processes that it
started itself, each by its pid.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

STUDY = """
study: kills
cell:
  dataset: {{name: fashion-mnist-small, train_size: {images}, test_size: 500}}
  architecture: {{name: mlp, hidden: [256]}}
  learning_rate: 0.02
  epochs: {epochs}
  augmentation: [flip, crop]
losses:
  CE: ce
  MAE*: {{name: mae, logit_bias: 0.5}}
seeds: {seeds}
grid:
  loss: all
  noise.kind: symmetric
  noise.rate: [0, 0.2, 0.4]
"""

METRICS = (
    "test_accuracy, test_top5_accuracy, test_loss, train_loss, train_accuracy_noisy, "
    "train_accuracy_clean, memorization"
)
DONE = 0
LAUNCH_SECONDS = 300


@dataclass(frozen=True)
class Verdict:
    """What the kills did to a study.

    Args:
        kills: processes killed.
        cells: cells of the study.
        resumed: cells that went on from a checkpoint.
        lost, doubled, differing: against the undisturbed run; all 0 in a sound program.
    """

    kills: int
    cells: int
    resumed: int
    lost: int
    doubled: int
    differing: int


def run(
    kinds: Sequence[str], kills: int, folder: Path, *, seed: int, seeds: int, size: int
) -> Verdict:
    """Kill `kills` times at random moments, each launch by the next kind, then end and compare."""
    rng = random.Random(seed)
    study = folder / "kills.yaml"
    study.write_text(STUDY.format(images=size, epochs=10, seeds=seeds))
    quiet, struck = folder / "quiet", folder / "struck"
    assert launch(study, quiet).wait(LAUNCH_SECONDS) == DONE
    done = 0
    for kind in itertools.cycle(kinds):
        if done == kills:
            break
        driver = launch(study, struck)
        done += strike(driver, kind, rng, kills - done)
        code = driver.wait(LAUNCH_SECONDS)
        if code == DONE and done < kills:
            start_over(struck)
    assert launch(study, struck).wait(LAUNCH_SECONDS) == DONE
    return compare(read(quiet), read(struck), done, count_attempts(struck), read_resumed(struck))


def launch(study: Path, store: Path, *more: str) -> subprocess.Popen[bytes]:
    """The command line, with a checkpoint after every epoch."""
    command = [sys.executable, "-m", "orchestrator", "launch", str(study)]
    options = ["--store", str(store), "--checkpoint-seconds", "0", *more]
    with (store.parent / f"{store.name}.log").open("ab") as log:
        return subprocess.Popen([*command, *options], stdout=log, stderr=log)


def strike(driver: subprocess.Popen[bytes], kind: str, rng: random.Random, most: int) -> int:
    """Kill the driver, or its workers, at random moments of their work. Returns the kills."""
    if not wait_for_workers(driver):
        return 0
    if kind == "driver":
        time.sleep(rng.uniform(0, 6))
        driver.kill()
        return 1
    struck = 0
    while driver.poll() is None and struck < most:
        time.sleep(rng.uniform(0.5, 5))
        workers = [pid for pid in descendants(driver.pid) if is_busy_worker(pid)]
        if workers:
            os.kill(rng.choice(workers), signal.SIGKILL)
            struck += 1
    return struck


def wait_for_workers(driver: subprocess.Popen[bytes]) -> bool:
    """Whether a worker began before the driver ended."""
    while driver.poll() is None:
        if any(is_busy_worker(pid) for pid in descendants(driver.pid)):
            return True
        time.sleep(0.1)
    return False


def descendants(pid: int) -> list[int]:
    """Processes below `pid`."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            parents.setdefault(parent, []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        children = parents.get(queue.pop(), [])
        found += children
        queue += children
    return found


def is_busy_worker(pid: int) -> bool:
    """Whether a process is a Ray worker that runs cells (Tune names the actor so)."""
    try:
        return b"ray::ImplicitFunc" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def start_over(store: Path) -> None:
    """Empty a store, so that the next blow falls on a study at work."""
    shutil.rmtree(store)


def query(store: Path, text: str) -> list[dict[str, object]]:
    from storage import Store

    relation = Store(store).sql(text)
    return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]


def read(store: Path) -> dict[object, str]:
    """Key → every metric of every epoch, as text that shows each bit."""
    rows = query(store, f"select key, epoch, {METRICS} from epochs order by key, epoch")
    curves: dict[object, list[str]] = {}
    for row in rows:
        curves.setdefault(row["key"], []).append(repr(sorted(row.items())))
    return {key: "\n".join(lines) for key, lines in curves.items()}


def count_attempts(store: Path) -> dict[object, int]:
    rows = query(
        store, "select key, count(*) as n from attempts where outcome <> 'failed' group by 1"
    )
    return {row["key"]: int(str(row["n"])) for row in rows}


def read_resumed(store: Path) -> int:
    (row,) = query(store, "select count(resumed_from_epoch) as n from cells")
    return int(str(row["n"]))


def compare(
    quiet: dict[object, str],
    struck: dict[object, str],
    kills: int,
    attempts: dict[object, int],
    resumed: int,
) -> Verdict:
    return Verdict(
        kills=kills,
        cells=len(quiet),
        resumed=resumed,
        lost=len(quiet.keys() - struck.keys()),
        doubled=sum(count > 1 for count in attempts.values()),
        differing=sum(quiet[key] != struck[key] for key in quiet.keys() & struck.keys()),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=("driver", "worker"), default="driver")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        verdict = run(
            (chosen.kind,), chosen.kills, Path(folder), seed=chosen.seed, seeds=8, size=10_000
        )
    sys.stdout.write(json.dumps({"kind": chosen.kind, **vars(verdict)}) + "\n")


if __name__ == "__main__":
    main()
