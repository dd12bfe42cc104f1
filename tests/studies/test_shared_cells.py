"""What studies share: cells of Table 2 in other studies, and keys that results are found by."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.plan.open import open_study
from orchestrator.study.pick import Pick
from orchestrator.study.text import StudyError
from trainables.config import Choice, TrainingConfig

STUDIES = Path(__file__).parents[2] / "studies"

PINNED = {
    "table2": (1060, "b40891521b558f29"),
    "settle/mlp1024_decay": (6, "b9dd5163ccdc51d1"),
    "settle/mlp1024_momentum": (20, "935468c56ed22d55"),
    "settle/true_class": (8, "2bdce93b94967f47"),
    "quickstart": (36, "85b55a59384bc6a3"),
    "gce": (288, "68bc5b18faeb661d"),
    "clothing1m": (18, "ed28db4cb8cc2913"),
    "settle/asymmetric_per_run": (40, "498bef940707e006"),
}
"""Study → its keys, counted, and the start of the SHA-256 of the sorted ones, a line each."""


@functools.cache
def configs(name: str) -> dict[str, TrainingConfig]:
    """Key → run."""
    cells = open_study(STUDIES / f"{name}.yaml").expand({})
    return {entry.cell.key: entry.cell.config for entry in cells if entry.cell}


@pytest.mark.parametrize("name", PINNED)
def test_keys_that_stores_hold_stay_those_of_the_study(name: str) -> None:
    keys = sorted(configs(name))
    assert (len(keys), hashlib.sha256("\n".join(keys).encode()).hexdigest()[:16]) == PINNED[name]


def test_the_figures_show_cells_of_table_2() -> None:
    shared = configs("figures").keys() & configs("table2").keys()
    # 3 losses at 10 classes, and ε = 0, 2, 3 at two noise rates at 100; three seeds each.
    assert len(shared) == 3 * (3 + 3 * 2)
    assert f"{len(shared)} of them are cells of" in (STUDIES / "figures.yaml").read_text()


def test_human_labels_are_learned_under_the_protocol_of_table_2() -> None:
    """But for the noise, and for a loss that only this study has."""
    clean = {_without_noise(config) for config in configs("table2").values()}
    strange = {
        (config.dataset.name, config.loss)
        for config in configs("human_noise").values()
        if _without_noise(config) not in clean
    }
    assert {(data, loss.name, loss.get("q")) for data, loss in strange} == {
        ("cifar100", "gce", 0.379)
    }


def _without_noise(config: TrainingConfig) -> TrainingConfig:
    return replace(config, noise=Choice("none"))


STUDY = """
study: parts
cell: {architecture: mlp1024, learning_rate: 0.1, epochs: 1}
losses: {CE: ce, Lq: gce}
datasets:
  cifar10: {cell: {batch_size: 32, schedule: {name: step, milestones: [1]}}}
  cifar100: {losses: {Lq: {name: gce, q: 0.3}}}
grid:
  loss: all
  dataset: [cifar10, {name: cifar100}, digits-like]
"""


def planned(tmp_path: Path, text: str, *overrides: str) -> dict[tuple[str, str], TrainingConfig]:
    path = tmp_path / "parts.yaml"
    path.write_text(text)
    cells = open_study(path, overrides).expand({})
    return {(e.axes["dataset"], e.axes["loss"]): e.cell.config for e in cells if e.cell}


def test_a_data_set_brings_its_fields_and_parameters(tmp_path: Path) -> None:
    found = planned(tmp_path, STUDY.replace("digits-like", "fashion-mnist"))
    assert {d: c.batch_size for (d, _), c in found.items()} == {
        "cifar10": 32,
        "cifar100": 128,
        "fashion-mnist": 128,
    }
    assert {d: c.loss.get("q") for (d, label), c in found.items() if label == "Lq"} == {
        "cifar10": 0.7,
        "cifar100": 0.3,
        "fashion-mnist": 0.7,
    }


@pytest.mark.parametrize(
    ("override", "batch_size", "factor"),
    [
        ("cell.batch_size=64", 64, 0.1),
        ("grid.batch_size=16", 16, 0.1),
        ("grid.schedule={name: step, milestones: [1], factor: 0.5}", 32, 0.5),
        ("datasets.cifar10.cell.batch_size=8", 8, 0.1),
    ],
)
def test_what_the_study_says_goes_before(
    override: str, batch_size: int, factor: float, tmp_path: Path
) -> None:
    found = planned(tmp_path, STUDY.replace("digits-like", "fashion-mnist"), override)
    config = found["cifar10", "CE"]
    assert (config.batch_size, config.schedule.get("factor")) == (batch_size, factor)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("  cifar100: {losses: {Lq", "  cifar100: {losses: {Lqq", "no loss 'Lqq'.*mean Lq"),
        ("  cifar10: {cell", "  cifar-10: {cell", "datasets.cifar-10.*mean cifar10"),
        ("{batch_size: 32,", "{batch_sise: 32,", r"datasets.cifar10.cell.batch_sise.*batch_size"),
        ("{cell: {batch_size: 32,", "{cells: {batch_size: 32,", "unknown key.*mean cell"),
    ],
)
def test_a_wrong_part_is_one_line_at_its_place(
    before: str, after: str, words: str, tmp_path: Path
) -> None:
    text = STUDY.replace("digits-like", "fashion-mnist")
    assert before in text
    with pytest.raises(StudyError, match=words):
        planned(tmp_path, text.replace(before, after))


PICKED = """
study: picked
cell: {architecture: mlp1024, dataset: cifar10, learning_rate: 0.1, epochs: 1}
losses: {Lq: gce}
phases:
  search:
    grid: {loss: Lq, loss.q: [0.3, 0.7]}
    pick: {best: {field: loss.q}}
  final:
    cell: {loss.q: {pick: search.best}}
    grid: {loss: Lq}
"""


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("{pick: search.best}", "{pick: search.bets}", "no earlier phase has.*mean search.best"),
        ("{Lq: gce}", "{Lq: {name: gce, q: {pick: search.best}}}", "losses.Lq.q: a pick belongs"),
    ],
)
def test_a_pick_that_never_comes_is_refused(
    before: str, after: str, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "picked.yaml"
    path.write_text(PICKED.replace(before, after))
    with pytest.raises(StudyError, match=words):
        open_study(path)


def test_a_parameter_of_a_component_can_be_left_to_a_pick(tmp_path: Path) -> None:
    path = tmp_path / "picked.yaml"
    path.write_text(PICKED)
    study = open_study(path)
    (waiting,) = (entry for entry in study.expand({}) if entry.phase == "final")
    assert (waiting.pending, waiting.axes["loss.q"]) == ("search.best", "pending")
    made = Pick(
        {"loss": "Lq"},
        "loss.q",
        0.3,
        50.0,
        None,
        None,
        1,
        False,
        False,
        None,
        "largest",
        "test_accuracy",
    )
    (chosen,) = (e for e in study.expand({("search", "best"): (made,)}) if e.phase == "final")
    assert chosen.cell is not None
    assert chosen.cell.config.loss.get("q") == 0.3
