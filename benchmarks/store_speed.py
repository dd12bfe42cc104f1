"""How fast is the store? Synthetic cells against one-Parquet-per-cell and CSV files.

    python benchmarks/store_speed.py                 # 1,000 and 10,000 cells × 100 epochs
    python benchmarks/store_speed.py --cells 100000  # needs about 6 GB of disk and half an hour

Every figure is taken in a process of its own, interpreter and imports included where it says
"from start". The question asked is the report's: mean and SEM of the last test accuracy per loss
and noise rate. Curves are random numbers, the worst case for compression.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from storage.attempt import Attempt

EPOCHS = 100
LOSSES = ("ce", "mae", "gce", "sce", "nce", "agce", "nfl_mae", "tgce")
RATES = (0.0, 0.2, 0.4, 0.6, 0.8)
QUESTION = (
    "select loss, noise_rate, avg(test_accuracy), stddev_samp(test_accuracy) / sqrt(count(*)), "
    "count(*) from {source} group by all order by all"
)
CURVE_QUESTION = "select loss, epoch, avg(test_accuracy) from epochs group by all order by all"


def land_synthetic(root: Path, num_cells: int) -> None:
    """Fill a store with `num_cells` results, written without fsync: only the reading is timed."""
    from storage import integrity
    from storage.landing import attempt_table
    from storage.layout import result_path

    result_path(root, "0" * 64).parent.mkdir(parents=True)
    for index in range(num_cells):
        attempt = synthetic(index)
        result_path(root, attempt.key).write_bytes(integrity.encode(attempt_table(attempt)))


def synthetic(index: int) -> Attempt:
    """One finished attempt with 100 epochs."""
    from storage.attempt import Attempt  # imports stay inside, so that children start quickly
    from storage.schema import CURVES

    draw = random.Random(index).random
    key = hashlib.sha256(str(index).encode()).hexdigest()
    curves = {column.name: [draw() for _ in range(EPOCHS)] for column in CURVES}
    curves["epoch"] = list(range(1, EPOCHS + 1))
    loss, rate = LOSSES[index % len(LOSSES)], RATES[index // len(LOSSES) % len(RATES)]
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=index)
    config = {
        "dataset": {"name": "cifar10"}, "noise": {"name": "symmetric", "rate": rate},
        "architecture": {"name": "resnet32"}, "loss": {"name": loss, "logit_bias": 0.5},
        "learning_rate": 0.01, "batch_size": 128, "epochs": EPOCHS, "weight_decay": 1e-4,
        "momentum": 0.9, "schedule": {"name": "cosine"}, "augmentation": ["crop", "flip"],
        "precision": "fp32", "seed": index // (len(LOSSES) * len(RATES)),
    }  # fmt: skip
    matrix = [[round(0.1 + 0.9 * (i == j), 6) for j in range(10)] for i in range(10)]
    return Attempt(
        key=key, base_key=key, attempt=hashlib.md5(key.encode()).hexdigest(), outcome="finished",
        config=json.dumps(config), revisions=json.dumps({f"loss:{loss}": 1, "noise": 1}),
        dataset="cifar10", noise="symmetric", noise_rate=rate, architecture="resnet32", loss=loss,
        loss_parameters=json.dumps({"logit_bias": 0.5}), learning_rate=0.01, batch_size=128,
        num_epochs=EPOCHS, precision="fp32", seed=config["seed"], study="bench", launch="launch",
        started_at=start, committed_at=start + timedelta(seconds=60), host="node", device="gpu",
        code_version="0" * 40, code_dirty=False, packages=json.dumps({"torch": "2", "ray": "2"}),
        num_classes=10, num_parameters=466_906, realized_noise_rate=rate,
        noisy_label_sha256=key, transition_matrix=json.dumps(matrix), initial_weights_sha256=key,
        seconds=60 + draw(), peak_memory_bytes=10**9, curves=curves,
    )  # fmt: skip


def write_plain_files(root: Path, folder: Path) -> None:
    """The same results as plain Parquet files and as CSV files of epochs, one of each per cell."""
    import pyarrow as pa
    import pyarrow.csv as pacsv
    import pyarrow.parquet as pq

    (folder / "parquet").mkdir(parents=True)
    (folder / "csv").mkdir()
    for path in (root / "attempts").iterdir():
        table = pq.read_table(path)
        pq.write_table(table, folder / "parquet" / path.name, compression="zstd")
        row = table.to_pylist()[0]
        names = ("epoch", "train_loss", "test_accuracy", "test_loss")
        columns = {name: row[name] for name in names}
        constants = {name: [row[name]] * EPOCHS for name in ("key", "loss", "noise_rate", "seed")}
        pacsv.write_csv(pa.table({**constants, **columns}), folder / "csv" / f"{path.stem}.csv")


def timed_child(code: str) -> tuple[float, float, str]:
    """Run `code` in a fresh interpreter: seconds from start, peak memory in MB, last line."""
    report = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    here = str(Path(__file__).parents[1])
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {here!r})\n{code}\n{report}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    *_, answer, memory = ["", *done.stdout.split("\n")[:-1]]
    return seconds, float(memory), answer


def best_of(tries: int, code: str) -> tuple[float, float, str]:
    return min(timed_child(code) for _ in range(tries))


def size_of(folder: Path) -> tuple[int, int]:
    """Number of files and their bytes."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    return len(sizes), sum(sizes)


def measure(num_cells: int, folder: Path) -> None:
    root, plain = folder / "store", folder / "plain"
    start = time.perf_counter()
    land_synthetic(root, num_cells)
    seconds = time.perf_counter() - start
    print(f"\n## {num_cells:,} cells × {EPOCHS} epochs   (made in {seconds:.0f} s)")
    show_size("one file per cell", root / "attempts", num_cells)

    question = QUESTION.format(source="cells")
    ask = f"from storage import Store; s = Store({str(root)!r})\nr = s.sql({question!r}).fetchall()"
    inner = (
        "import storage.store, time; t = time.perf_counter()\n"
        f"{ask}\nprint(time.perf_counter() - t)"
    )
    tries = 3 if num_cells <= 10_000 else 1
    show("our store, nothing compacted", best_of(1, inner))
    if num_cells <= 10_000:
        write_plain_files(root, plain)
        glob = QUESTION.format(
            source="(select loss, noise_rate, test_accuracy[-1] as test_accuracy "
            f"from read_parquet('{plain}/parquet/*.parquet'))"
        )
        show(
            "plain Parquet files, glob",
            best_of(1, f"import duckdb; duckdb.sql({glob!r}).fetchall()"),
        )
        union = glob.replace(".parquet')", ".parquet', union_by_name=true)")
        show("… with union_by_name", best_of(1, f"import duckdb; duckdb.sql({union!r}).fetchall()"))
        frames = (
            f"import pandas as pd, pathlib\nd = pd.concat(pd.read_csv(p).iloc[-1:] for p in "
            f"pathlib.Path({str(plain / 'csv')!r}).iterdir())\n"
            "d.groupby(['loss', 'noise_rate']).test_accuracy.agg(['mean', 'sem', 'count'])"
        )
        show("CSV files, pandas", best_of(1, frames))

    compact = (
        "from storage.segments.compaction import compact; "
        f"print(compact({str(root)!r}).num_segments)"
    )
    seconds, memory, segments = timed_child(compact)
    print(f"{'compaction':32} {seconds:8.2f} s  {memory:7.0f} MB   {segments} segments")
    show_size("compacted", root / "segments", num_cells)
    show("our store, compacted", best_of(tries, inner))
    show("… mean curve of every loss", best_of(tries, inner.replace(question, CURVE_QUESTION)))
    count = ask.replace(question, "select count(*) from cells")
    show("… count(*)", best_of(tries, count))
    check = f"from storage import Store; print(Store({str(root)!r}).verify())"
    show("… verify every byte", best_of(1, check))


def show(what: str, figures: tuple[float, float, str]) -> None:
    """One line: seconds from start, peak memory, and seconds without imports where measured."""
    seconds, memory, inside = figures
    without = (
        f"   {float(inside):.3f} s without imports" if inside.replace(".", "").isdigit() else ""
    )
    print(f"{what:32} {seconds:8.2f} s  {memory:7.0f} MB{without}", flush=True)


def show_size(what: str, folder: Path, num_cells: int) -> None:
    files, size = size_of(folder)
    print(f"{what:32} {size / num_cells:8,.0f} bytes and {files / num_cells:.4f} files per cell")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, nargs="+", default=[1_000, 10_000])
    for num_cells in parser.parse_args().cells:
        folder = Path(tempfile.mkdtemp(prefix="store-speed-"))
        try:
            measure(num_cells, folder)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
