"""Suggested queries: no row of an answer mixes settings that differ in more than the seed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from storage import Store
from storage.attempt import PlannedCell
from storage.reporting.queries import SAFE_QUERY, columns_apart, example_query
from tests.orchestrator.bench import STUDY, Bench

# The shipped images are mapped from a file and read only.
pytestmark = pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")

ROOT = Path(__file__).parents[3]
TEMPTING = """
losses: {CE: ce, MAE: mae, "MAE*": {name: mae, logit_bias: 0.5}, genCE: gce}
seeds: 2
phases:
  search:
    blocks:
      - grid: {loss: [MAE, "MAE*"], epochs: [1, 2], learning_rate: [0.1, 0.001]}
      - grid: {loss: [genCE], loss.q: [0.3, 0.7]}
  main:
    blocks:
      - grid: {loss: [CE, MAE], noise.kind: [symmetric, asymmetric], noise.rate: [0, 0.4]}
      - grid: {loss: [CE]}
        cell: {noise: {kind: matrix, matrix: %s}}
      - grid: {loss: [CE]}
      - grid: {loss: [CE]}
        cell: {dataset: fashion-mnist-small}
"""
MATRIX = json.dumps(
    [[{0: 0.6, 1: 0.4}.get((j - i) % 10, 0.0) for j in range(10)] for i in range(10)]
)


@pytest.fixture(scope="module")
def tempting(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, tuple[PlannedCell, ...]]:
    """A store of results that a careless query would average."""
    folder = tmp_path_factory.mktemp("tempting")
    bench = Bench(folder / "here", folder / "store")
    study = bench.write(STUDY + TEMPTING % MATRIX)
    planned = bench.launch(study).planned
    bench.launch(bench.write(STUDY.replace("tiny", "other") + "  loss: ce\nseeds: 3\n", "o.yaml"))
    return Store(bench.store), planned


def queries() -> list[str]:
    """Each query over averages in the documentation, in help texts and in the code."""
    patterns = ("*.md", "docs/**/*.md", "studies/**/*.md", "docker/*.md", "orchestrator/cli/*.py")
    paths = (path for pattern in patterns for path in ROOT.glob(pattern))
    texts = [re.sub(r'"\n\s*"', "", p.read_text()) for p in paths if p.name != "CHANGELOG.md"]
    texts.append(SAFE_QUERY)
    found = (query for text in texts for query in re.findall(r"select [^\"`]*avg\([^\"`]*", text))
    return list(dict.fromkeys(found))


def mixed(store: Store, query: str) -> list[tuple[object, ...]]:
    """Rows of the answer that stand for more than one setting, or count a run twice."""
    setting = "(study, phase, json_merge_patch(config, '{\"seed\": null}'))"
    first = re.sub("^select ", f"select count(distinct {setting}) as settings, "
                   "count(distinct attempt) as runs, count(*) as all_rows, ", query)  # fmt: skip
    answer = store.sql(first).fetchall()
    assert answer
    return [row for row in answer if row[0] != 1 or row[1] != row[2]]


def test_the_check_finds_what_it_is_for(tempting) -> None:
    store, _ = tempting
    careless = "select loss, noise_rate, avg(test_accuracy) from runs group by all"
    assert mixed(store, careless)


def test_there_are_queries_to_check() -> None:
    assert len(queries()) >= 1


@pytest.mark.parametrize("query", queries())
def test_documented_queries_keep_settings_apart(tempting, query: str) -> None:
    store, _ = tempting
    assert mixed(store, query) == []


def test_so_does_the_query_after_a_launch(tempting) -> None:
    store, planned = tempting
    query = example_query(planned)
    assert mixed(store, query) == []
    assert columns_apart(planned) == [
        "label",
        "noise",
        "noise_rate",
        "dataset",
        "num_epochs",
        "learning_rate",
        "loss_q",
    ]


def test_it_is_short_where_little_varies(bench: Bench) -> None:
    study = bench.write(STUDY + "losses: {CE: ce, MAE: mae}\ngrid: {loss: all}\nseeds: 2\n")
    planned = bench.plan(study).planned
    assert example_query(planned) == (
        "select label, count(*) as n, avg(test_accuracy) as accuracy from runs "
        "where study = 'tiny' and standing = 'done' group by all"
    )


LABELS_TWICE = """
losses: {CE: ce}
phases:
  main:
    blocks:
      - {losses: {X: {name: gce, q: 0.3}}, grid: {loss: X}}
      - {losses: {X: {name: sce}}, grid: {loss: X}}
"""


def test_a_label_that_two_blocks_use_otherwise_is_not_enough(bench: Bench) -> None:
    planned = bench.plan(bench.write(STUDY + LABELS_TWICE)).planned
    assert len(planned) > 1
    assert len(columns_apart(planned)) > 1
