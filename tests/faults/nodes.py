"""Lose or freeze nodes of a cluster at random moments, and compare with an undisturbed run.

    python tests/faults/nodes.py --kind loss --faults 20
    python tests/faults/nodes.py --kind freeze --faults 20

The cluster is a head without CPUs and two nodes with one each, all on this machine's loopback
addresses. A lost node is killed and replaced; a frozen one is stopped (SIGSTOP, with its workers)
until Ray has given it up, and then goes on as a zombie. Ends only processes that it started itself.
"""

from __future__ import annotations

import argparse
import json
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

from tests.faults import kills

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
        frozen = [raylet, *kills.descendants(raylet)]
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


def run(kind: str, faults: int, folder: Path, *, seed: int, seeds: int, size: int) -> kills.Verdict:
    """Strike `faults` times at random moments, then let the study end and compare."""
    rng = random.Random(seed)
    study = folder / "nodes.yaml"
    study.write_text(kills.STUDY.format(images=size, epochs=10, seeds=seeds))
    quiet, struck = folder / "quiet", folder / "struck"
    assert kills.launch(study, quiet).wait(kills.LAUNCH_SECONDS) == kills.DONE
    done = 0
    with LoopbackCluster() as cluster:
        strike = cluster.lose if kind == "loss" else cluster.freeze
        while True:
            driver = kills.launch(study, struck, "--address", cluster.cluster.address)
            while done < faults and driver.poll() is None:
                time.sleep(rng.uniform(3, 12))
                if driver.poll() is None and struck.exists():
                    strike(rng.choice(cluster.nodes))
                    done += 1
            assert driver.wait(3 * kills.LAUNCH_SECONDS) == kills.DONE
            if done == faults:
                break
            kills.start_over(struck)
    return kills.compare(
        kills.read(quiet),
        kills.read(struck),
        done,
        kills.count_attempts(struck),
        kills.read_resumed(struck),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=("loss", "freeze"), default="loss")
    parser.add_argument("--faults", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        verdict = run(
            chosen.kind, chosen.faults, Path(folder), seed=chosen.seed, seeds=8, size=10_000
        )
        minutes = (time.monotonic() - start) / 60
    facts = {"kind": chosen.kind, **vars(verdict), "minutes": round(minutes, 1)}
    sys.stdout.write(json.dumps(facts) + "\n")


if __name__ == "__main__":
    main()
