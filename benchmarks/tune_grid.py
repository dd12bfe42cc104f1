"""What Tune's own grid and its own restoring cost for trials that do nothing.

    python benchmarks/tune_grid.py --trials 200 1000 2000

The honest competitor of `driver_overhead.py`: `tune.grid_search` over as many seeds, the same two
CPUs, actor reuse, loggers and console off; then `Tuner.restore` of the finished run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

LOOPBACK = "127.0.0.2"


def nothing(config: dict[str, Any]) -> dict[str, float]:
    """A trial that reports one number."""
    return {"test_accuracy": float(config["seed"])}


def measure(count: int) -> dict[str, float]:
    """Seconds of a grid of `count` trials and of its restoring, and this process's peak memory."""
    import resource

    import ray
    from ray import tune

    ray.init(num_cpus=2, _node_ip_address=LOOPBACK, include_dashboard=False, log_to_driver=False)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        tuner = tune.Tuner(
            nothing,
            param_space={"seed": tune.grid_search(list(range(count)))},
            tune_config=tune.TuneConfig(reuse_actors=True),
            run_config=tune.RunConfig(name="grid", storage_path=folder, verbose=0),
        )
        tuner.fit()
        grid = time.perf_counter() - started
        files = sum(path.is_file() for path in Path(folder).rglob("*"))
        started = time.perf_counter()
        tune.Tuner.restore(f"{folder}/grid", trainable=nothing).fit()
        restore = time.perf_counter() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"grid": grid, "restore": restore, "files": files, "memory": memory}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, nargs="+", default=[200, 1000, 2000])
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(measure(chosen.one)))
        return
    quiet = {
        **os.environ,
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "RAY_AIR_NEW_OUTPUT": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    for count in chosen.trials:
        command = [sys.executable, __file__, "--one", str(count)]
        done = subprocess.run(command, env=quiet, check=True, capture_output=True, text=True)
        facts = json.loads(done.stdout.splitlines()[-1])
        print(
            f"{count} trials: {1000 * facts['grid'] / count:.1f} ms a trial, restoring the "
            f"finished run {facts['restore']:.1f} s, {facts['files']:.0f} files, "
            f"{facts['memory']:.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
