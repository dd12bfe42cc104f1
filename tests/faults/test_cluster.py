"""A study on a cluster of several nodes on this machine, one of which is lost in the middle."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage import Store

pytestmark = pytest.mark.slow

STUDY = """
study: cluster
title: On several nodes
cell:
  dataset: {name: synthetic, like: fashion-mnist, images: 2000}
  architecture: {name: mlp, hidden: [64]}
  learning_rate: 0.05
  epochs: 12
  noise: {kind: symmetric, rate: 0.4}
losses: {CE: ce, genCE: gce, mine: my_loss}
seeds: 4
grid: {loss: all}
"""
PLUG_IN = """
from trainables.losses import LOSSES
@LOSSES.register("mine")
def mine(logits, labels):
    return -logits.log_softmax(1).gather(1, labels[:, None])[:, 0]
"""
LOOPBACK = "127.0.0.2"


@pytest.fixture
def cluster() -> Iterator[object]:
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    nodes = {"num_cpus": 1, "node_ip_address": LOOPBACK, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=nodes)
    try:
        cluster.add_node(num_cpus=1, node_ip_address=LOOPBACK)
        yield cluster
    finally:
        cluster.shutdown()


def launch(address: str, study: Path, store: Path) -> subprocess.Popen[str]:
    """Elsewhere than the study and the project, as a user on a cluster would."""
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "orchestrator", "launch", str(study)),
            *("--address", address, "--store", str(store), "--working-dir", str(study.parent)),
            *("--checkpoint-seconds", "0"),
        ],
        cwd=study.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(condition, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.2)


def test_a_lost_node_costs_no_cell(cluster, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    study, store = folder / "cluster.yaml", tmp_path / "store"
    study.write_text(STUDY)
    (folder / "my_loss.py").write_text(PLUG_IN)
    lost = cluster.add_node(num_cpus=1, node_ip_address=LOOPBACK)
    running = launch(cluster.address, study, store)
    killer = threading.Thread(
        target=lambda: (
            wait_for(lambda: len(list((store / "attempts").glob("*.parquet"))) >= 2),
            cluster.remove_node(lost, allow_graceful=False),
        )
    )
    killer.start()
    output, _ = running.communicate(timeout=240)
    killer.join()
    assert running.returncode == 0, output
    assert Store(store).rows("select count(*), count(distinct key) from cells") == [(12, 12)]
    assert Store(store).rows("select count(*) from cells where loss = 'my_loss'") == [(4,)]
