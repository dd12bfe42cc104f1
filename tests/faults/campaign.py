"""Strike a running study at random moments, and account for every landed result after each blow.

    python -m tests.faults.campaign --blows 50 --seed 0

Each blow sends one signal to one process of a real launch: the driver itself, the process in which
its Ray lives, the janitor, GCS, raylet, an agent, or a worker. Before it the landed (key, attempt,
digest) are taken down; afterwards all of them must be there, unchanged, and none may be trained
again. The launch must go on by itself or end with the code that belongs to the signal; then the
same command is given again. A study that ends is compared with an undisturbed one and a new one
begins. The verdicts of all blows are summed. Ends only processes that it started itself.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

STUDY = """
study: campaign
cell:
  dataset: {{name: fashion-mnist-small, train_size: {images}, test_size: 200}}
  architecture: {{name: mlp, hidden: [32]}}
  learning_rate: 0.02
  batch_size: 32
  epochs: {epochs}
  augmentation: [flip, crop]
resources: {{max_concurrent: {workers}}}
losses: {{CE: ce, "MAE*": {{name: mae, logit_bias: 0.5}}}}
seeds: {seeds}
grid: {{loss: all, noise.kind: symmetric, noise.rate: [0.2, 0.4]}}
"""

METRICS = (
    "test_accuracy, test_top5_accuracy, test_loss, train_loss, train_accuracy_noisy, "
    "train_accuracy_clean, memorization"
)
DONE, INCOMPLETE = 0, 3
LAUNCH_SECONDS = 400
ENOUGH_BLOWS = 20
FROZEN_SECONDS = 4.0
"""After SIGSTOP; then the process goes on."""

LATE_SECONDS = 3.0
"""A report of an epoch may arrive so long after the result has landed."""

TARGETS: dict[str, bytes] = {
    "driver": b"",
    "host": b"orchestrator.cluster.host",
    "janitor": b"janitor.py",
    "gcs": b"/gcs_server",
    "raylet": b"/raylet/raylet",
    "dashboard agent": b"ray::DashboardAgent",
    "environment agent": b"ray::RuntimeEnvAgent",
    "worker": b"ray::ImplicitFunc",
}
"""What is struck → a piece of its command line."""

SIGNALS = ("TERM", "HUP", "INT", "KILL", "STOP")
EXPECTED = {"TERM": 143, "INT": 130, "HUP": 129, "KILL": -9, "STOP": DONE}
"""How a struck driver ends; after a blow at any other process a launch goes on to its end."""

ORPHAN_SECONDS = 15.0
"""After the end of a launch none of its processes may live for so long."""

Blow = tuple[str, str]
"""Target, signal."""

Process = tuple[int, str]
"""Number, and when it began."""

Result = tuple[str, str]
"""Attempt, and digest of all that the store says of it."""


@dataclass
class Verdict:
    """What blows did to results; a sound program leaves no harm.

    Args:
        blows: by target and signal.
        landed: results that lay in the store before a blow, summed over the blows.
        cells: of all studies, at their ends.
        resumed: cells that went on from a checkpoint.
        replaced: clusters that a launch replaced by itself.
        gave_up: launches that lost a second cluster before any epoch, and ended with the line that
            resumes.
        harm: kind of harm → what it was.
    """

    blows: Counter[str] = field(default_factory=Counter)
    landed: int = 0
    cells: int = 0
    resumed: int = 0
    replaced: int = 0
    gave_up: int = 0
    harm: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_sound(self) -> bool:
        return not self.harm

    def strike(self, target: str, name: str, landed: int) -> None:
        """One more blow, with so many results in the store."""
        self.blows[f"{target} {name}"] += 1
        self.landed += landed

    def blame(self, kind: str, what: str) -> None:
        self.harm.setdefault(kind, []).append(what)

    def text(self) -> str:
        return json.dumps({**vars(self), "total": self.blows.total(), "is_sound": self.is_sound})


class Campaign:
    """Blows at one study after another.

    Args:
        folder: for studies, stores and logs.
        before_relaunch: is given the store before a struck study is launched again; a test of the
            campaign itself spoils the store here.
        say: shows a line.
        quiet: curves of the same study undisturbed, if they are known.
        is_patient: strike only once a result has landed; else only every other time.
    """

    def __init__(
        self,
        folder: Path,
        *,
        seed: int,
        seeds: int = 2,
        images: int = 2000,
        epochs: int = 20,
        workers: int = 2,
        before_relaunch: Callable[[Path], None] = lambda _: None,
        say: Callable[[str], None] = lambda _: None,
        quiet: dict[str, str] | None = None,
        is_patient: bool = False,
    ) -> None:
        self._folder, self._random, self._say = folder, random.Random(seed), say
        self._before_relaunch = before_relaunch
        self.study = folder / "campaign.yaml"
        self.study.write_text(
            STUDY.format(images=images, epochs=epochs, seeds=seeds, workers=workers)
        )
        self._quiet, self._is_patient = quiet, is_patient
        self.verdict = Verdict()

    def run(self, blows: Sequence[Blow]) -> Verdict:
        """Strike with each of `blows` once, then let the last study end."""
        left = list(blows)
        while left:
            store = Path(tempfile.mkdtemp(dir=self._folder)) / "store"
            account = Account(store, self.verdict)
            while not self._launch(account, left):
                self._before_relaunch(store)
            account.compare(self.undisturbed())
            shutil.rmtree(store.parent)
        return self.verdict

    def _launch(self, account: Account, left: list[Blow]) -> bool:
        """One launch, with as many blows as it takes. Returns whether the study is done."""
        driver, family = launch(self.study, account.store, account.events), set[Process]()
        code, expected, losing = None, DONE, 0
        try:
            while left and wait_for_work(driver):
                if self._is_patient or self._random.random() < 0.5:
                    wait_for(lambda: driver.poll() is not None or account.has_landed(), 120)
                time.sleep(self._random.uniform(0.0, 1.0 if self._is_patient else 3.0))
                family |= {(pid, start_of(pid)) for pid in descendants(driver.pid)}
                target, name = left[0]
                pids = [driver.pid] if target == "driver" else find(driver.pid, TARGETS[target])
                if not pids or driver.poll() is not None:
                    time.sleep(0.1)
                    continue
                account.look()
                left.pop(0)
                losing += target not in ("driver", "worker")
                began = time.monotonic()
                send(self._random.choice(pids), name)
                self.verdict.strike(target, name, len(account.known))
                account.moves()  # what was done before the blow
                if target == "driver":
                    expected = EXPECTED[name]
                    code = driver.wait(LAUNCH_SECONDS)
                    break
                wait_for(lambda: driver.poll() is not None or account.moves(), 300)
                self._say(f"{target} {name}: went on after {time.monotonic() - began:.1f} s")
            code = driver.wait(LAUNCH_SECONDS)
        finally:
            driver.kill()
            driver.wait()
        if code == INCOMPLETE and losing > 1:
            self.verdict.gave_up += 1  # the second blow came before the first epoch after the first
        elif code not in (expected, DONE):
            self.verdict.blame("wrong exit code", f"{code} instead of {expected}")
        wait_for(lambda: not living(family), ORPHAN_SECONDS)
        for pid in living(family):
            self.verdict.blame("left running", command_of(pid).decode(errors="replace"))
        account.look()
        self._say(f"launch ended with {code}; {len(account.known)} landed; {self.verdict.harm}")
        return code == DONE

    def undisturbed(self) -> dict[str, str]:
        """The same study without blows, trained once."""
        if self._quiet is None:
            store = self._folder / "quiet"
            assert launch(self.study, store, self._folder / "quiet.json").wait(1000) == DONE
            self._quiet = curves(store)
        return self._quiet


class Account:
    """What one store held at every look, and what became of it.

    Args:
        store: of the study under blows.
        verdict: gets the blame.
    """

    def __init__(self, store: Path, verdict: Verdict) -> None:
        self.store, self._verdict = store, verdict
        self.events = store.parent / "events.json"
        self.known: dict[str, Result] = {}
        self._seen_at: dict[str, float] = {}
        self._events: list[dict[str, str]] = []

    def look(self) -> None:
        """Whatever was seen before must still be there as it was; what is new is taken down."""
        now, moment = results(self.store), time.time()
        for key, former in self.known.items():
            if key not in now:
                self._verdict.blame("lost", f"{key[:12]} {former}")
            elif now[key] != former:
                self._verdict.blame("changed", f"{key[:12]} {former} -> {now[key]}")
        for key in now.keys() - self.known.keys():
            self._seen_at[key] = moment
        self.known = now
        self._new_events()
        for event in self._events:
            since = self._seen_at.get(event.get("key", ""), float("inf"))
            at = datetime.fromisoformat(event["time"]).timestamp()
            if event["event"] == "advanced" and at > since + LATE_SECONDS:
                self._verdict.blame("trained again", f"{event['key'][:12]}: {event}")

    def has_landed(self) -> bool:
        return any((self.store / "attempts").glob("*.parquet"))

    def moves(self) -> bool:
        """Whether a cell has advanced since the last call, or the last look."""
        return any(event["event"] in ("advanced", "ended") for event in self._new_events())

    def compare(self, quiet: dict[str, str]) -> None:
        """At the end: every cell once, none failed, each as in the undisturbed run."""
        ours = curves(self.store)
        for key in quiet.keys() - ours.keys():
            self._verdict.blame("missing", key)
        for key in quiet.keys() & ours.keys():
            if quiet[key] != ours[key]:
                self._verdict.blame("differing", key)
        for row in query(self.store, "select key from attempts group by key having count(*) > 1"):
            self._verdict.blame("doubled", str(row["key"]))
        for row in query(self.store, "select key, error_message from failures"):
            self._verdict.blame("failed", str(row))
        (row,) = query(self.store, "select count(resumed_from_epoch) as n from cells")
        self._verdict.resumed += int(str(row["n"]))
        self._verdict.cells += len(ours)
        log = (self.store.parent / "store.log").read_text(errors="replace")
        self._verdict.replaced += log.count("going on with a new one")
        for line in log.splitlines():
            if "Traceback" in line or "*** SIG" in line or "Check failed" in line:
                self._verdict.blame("trace", line)

    def _new_events(self) -> list[dict[str, str]]:
        lines = self.events.read_text().splitlines() if self.events.exists() else []
        found = []
        for line in lines[len(self._events) :]:
            try:
                found.append(json.loads(line))
            except ValueError:  # cut off by a kill
                found.append({"event": "broken", "time": "1970-01-01T00:00:00+00:00"})
        self._events += found
        return found


def launch(study: Path, store: Path, events: Path, *more: str) -> subprocess.Popen[bytes]:
    """The command line, with a checkpoint after every epoch."""
    command = [sys.executable, "-m", "orchestrator", "launch", str(study), "--store", str(store)]
    options = ["--checkpoint-seconds", "0", "--json-events", str(events), *more]
    with (store.parent / f"{store.name}.log").open("ab") as log:
        return subprocess.Popen(
            [*command, *options], stdout=log, stderr=log, preexec_fn=_heed_all_signals
        )


def _heed_all_signals() -> None:
    """Also those that `nohup` or a shell's background has made this script ignore."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def send(pid: int, name: str) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, getattr(signal, f"SIG{name}"))
        if name == "STOP":
            time.sleep(FROZEN_SECONDS)
            os.kill(pid, signal.SIGCONT)


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not (is_met := condition()) and time.monotonic() < end:
        time.sleep(0.1)
    return is_met


def wait_for_work(driver: subprocess.Popen[bytes]) -> bool:
    """Whether a worker began before the driver ended."""
    while driver.poll() is None:
        if find(driver.pid, TARGETS["worker"]):
            return True
        time.sleep(0.1)
    return False


def find(pid: int, piece: bytes) -> list[int]:
    """Processes below `pid` that have `piece` in their command line, themselves or as programs."""
    found = [child for child in descendants(pid) if piece in command_of(child)]
    if piece == TARGETS["host"]:  # which its janitor names too
        found = [child for child in found if TARGETS["janitor"] not in command_of(child)]
    return found


def descendants(pid: int) -> list[int]:
    """Processes below `pid`."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
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


def living(family: Iterable[Process]) -> list[int]:
    """Those that still run; a number alone soon belongs to another process."""
    return [pid for pid, start in family if start and start_of(pid) == start and command_of(pid)]


def start_of(pid: int) -> str:
    """When a process began, in ticks of the kernel; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def command_of(pid: int) -> bytes:
    """Command line of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def query(store: Path, text: str) -> list[dict[str, object]]:
    from storage import Store

    relation = Store(store, read_only=True).sql(text)
    return [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]


def results(store: Path) -> dict[str, Result]:
    """Key → attempt and digest of what has landed."""
    if not (store / "attempts").exists():
        return {}
    rows = query(store, "select * from attempts where outcome <> 'failed'")
    figures = curves(store)
    return {
        str(row["key"]): (
            str(row["attempt"]),
            hashlib.sha256(
                f"{sorted(row.items())} {figures.get(str(row['key']))}".encode()
            ).hexdigest()[:16],
        )
        for row in rows
    }


def curves(store: Path) -> dict[str, str]:
    """Key → every metric of every epoch, as text that shows each bit."""
    rows = query(store, f"select key, epoch, {METRICS} from epochs order by key, epoch")
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(str(row["key"]), []).append(repr(sorted(row.items())))
    return {key: "\n".join(lines) for key, lines in found.items()}


def all_modes(count: int, seed: int) -> list[Blow]:
    """`count` blows that go through every target and signal, in an order of the seed's."""
    modes = [(target, name) for target in TARGETS for name in SIGNALS]
    draw, blows = random.Random(seed), list[Blow]()
    while len(blows) < count:
        blows += draw.sample(modes, len(modes))
    return blows[:count]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--blows", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        begin = time.monotonic()

        def say(line: str) -> None:
            print(f"{time.monotonic() - begin:7.1f} s  {line}", flush=True)

        campaign = Campaign(Path(folder), seed=chosen.seed, say=say)
        verdict = campaign.run(all_modes(chosen.blows, chosen.seed))
    print(verdict.text())
    # So many blows that none falls after a checkpoint would not have tried what is promised.
    was_tried = verdict.resumed > 0 or chosen.blows < ENOUGH_BLOWS
    sys.exit(0 if verdict.is_sound and was_tried else 1)


if __name__ == "__main__":
    main()
