"""Lose or freeze nodes of a cluster at random moments, and compare with an undisturbed run.

    python -m tests.faults.nodes --kind loss --faults 20
    python -m tests.faults.nodes --kind freeze --faults 20

The cluster is a head without CPUs and two nodes with one each, all on this machine's loopback
addresses. A lost node is killed and replaced; a frozen one is stopped (SIGSTOP, with its workers)
until Ray has given it up, and then goes on as a zombie. Ends only processes that it started itself.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.campaign import (
    DONE,
    INCOMPLETE,
    LAUNCH_SECONDS,
    Account,
    Campaign,
    Verdict,
    descendants,
    launch,
)

LOOPBACK = "127.0.0.2"
FROZEN_SECONDS = 40.0
"""Ray gives a silent node up after about 30 s."""


@dataclass
class LoopbackCluster:
    """A head without CPUs, and nodes with one each."""

    cluster: Any = None
    nodes: list[Any] = field(default_factory=list)

    def __enter__(self) -> LoopbackCluster:
        from ray.cluster_utils import Cluster

        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        head = {"num_cpus": 0, "node_ip_address": LOOPBACK, "include_dashboard": False}
        self.cluster = Cluster(initialize_head=True, head_node_args=head)
        for _ in range(2):
            self.add()
        return self

    def __exit__(self, *exception: object) -> None:
        self.cluster.shutdown()

    def add(self) -> None:
        self.nodes.append(self.cluster.add_node(num_cpus=1, node_ip_address=LOOPBACK))

    def lose(self, node: Any) -> None:
        """Kill a node without a farewell, and put another in its place."""
        self.nodes.remove(node)
        self.cluster.remove_node(node, allow_graceful=False)
        self.add()

    def freeze(self, node: Any) -> None:
        """Stop a node and its workers until it counts as dead; then it goes on as a zombie."""
        raylet = node.all_processes["raylet"][0].process.pid
        frozen = [raylet, *descendants(raylet)]
        for pid in frozen:
            _send(pid, signal.SIGSTOP)
        time.sleep(FROZEN_SECONDS)
        for pid in frozen:
            _send(pid, signal.SIGCONT)
        time.sleep(2)
        self.lose(node)


def _send(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def run(kind: str, faults: int, folder: Path, *, seed: int) -> Verdict:
    """Strike `faults` times at random moments; each study that ends is compared, as its results."""
    rng, verdict = random.Random(seed), Verdict()
    campaign = Campaign(folder, seed=seed, seeds=4, images=5000)
    quiet = campaign.undisturbed()
    with LoopbackCluster() as cluster:
        strike = cluster.lose if kind == "loss" else cluster.freeze
        while verdict.blows.total() < faults:
            store = Path(tempfile.mkdtemp(dir=folder)) / "store"
            account, code = Account(store, verdict), None
            while code != DONE:
                address = ("--address", cluster.cluster.address)
                driver = launch(campaign.study, store, account.events, *address)
                while verdict.blows.total() < faults and driver.poll() is None:
                    time.sleep(rng.uniform(3, 12))
                    if driver.poll() is None and store.exists():
                        account.look()
                        strike(rng.choice(cluster.nodes))
                        verdict.strike("node", kind, len(account.known))
                code = driver.wait(3 * LAUNCH_SECONDS)
                account.look()
                if code not in (DONE, INCOMPLETE):
                    verdict.blame("wrong exit code", str(code))
                    break
            account.compare(quiet)
    return verdict


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=("loss", "freeze"), default="loss")
    parser.add_argument("--faults", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        verdict = run(chosen.kind, chosen.faults, Path(folder), seed=chosen.seed)
    sys.stdout.write(verdict.text() + "\n")
    sys.exit(0 if verdict.is_sound else 1)


if __name__ == "__main__":
    main()
