"""The view `runs`: a row for each planned cell, where it stands, and the result that answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from storage import Store
from storage.attempt import Attempt, PlannedCell, StudyRecord
from storage.landing import land_attempt, land_study
from storage.records.decisions import Decision, land_decisions
from storage.schema import SETTINGS

CONFIG = {
    "dataset": {"name": "fashion-mnist"},
    "architecture": {"name": "mlp"},
    "noise": {"name": "symmetric", "rate": 0.4},
    "loss": {"name": "gce", "q": None, "p": 1.5},
    "learning_rate": 0.1,
    "batch_size": 128,
    "epochs": 3,
    "precision": "fp32",
    "seed": 0,
}


def with_p(p: float, index: int = 0) -> dict[str, str]:
    """Configuration and parameters of the attempt `index` in `attempt_of`."""
    loss = {"name": ("ce", "mae", "gce")[index % 3], "p": p}
    return {"config": json.dumps({"loss": loss}), "loss_parameters": json.dumps({"p": p})}


def runs(store: Store, *columns: str, where: str = "true") -> list[tuple[Any, ...]]:
    return store.rows(f"select {', '.join(columns)} from runs where {where} order by position")


@pytest.fixture
def record(root: Path, study: StudyRecord) -> Callable[..., None]:
    """Records a study of these cells."""

    def record(*cells: PlannedCell, name: str = "quickstart") -> None:
        planned = (replace(cell, study=name, position=index) for index, cell in enumerate(cells))
        land_study(root, replace(study, name=name, planned=tuple(planned)))

    return record


def asked(attempt: Attempt, **changes: Any) -> PlannedCell:
    values = {
        "study": "", "phase": "main", "position": 0, "key": attempt.key,
        "base_key": attempt.base_key, "seed": attempt.seed, "axes": {"loss": "genCE"},
        "config": attempt.config, "skipped": None, "revisions": attempt.revisions,
    }  # fmt: skip
    return PlannedCell(**{**values, **changes})


def test_each_planned_cell_has_a_row(
    root: Path, attempt: Callable[..., Attempt], failure: Callable[..., Attempt], record
) -> None:
    for index in (0, 1):
        land_attempt(root, attempt(index, **with_p(2, index)))
    land_attempt(root, failure(2))
    there = asked(attempt(0), config=with_p(2)["config"])
    edited = asked(attempt(1), config=with_p(6, 1)["config"])
    skipped = asked(attempt(4), key=None, base_key=None, config=None, skipped="not in the paper")
    pending = asked(attempt(5), key=None, base_key=None, config=None)
    record(there, edited, asked(attempt(2)), asked(attempt(3)), skipped, pending)
    store = Store(root)
    assert runs(store, "standing", "reason", "test_accuracy is not null") == [
        ("done", None, True),
        ("stale", "loss.p was 2, is 6", False),
        ("failed", "1 failed attempt: bad luck", False),
        ("new", None, False),
        ("skipped", "not in the paper", False),
        ("pending", "a pick that it needs is not made yet", False),
    ]
    words = [word for (word,) in store.rows("select reason from missing order by position")]
    assert words == [
        "loss.p was 2, is 6",
        "1 failed attempt: bad luck",
        "new",
        "a pick that it needs is not made yet",
    ]
    assert store.rows("select count(*) from cells") == [(2,)]


def test_settings_are_those_of_the_study_run_or_not(attempt, record, root: Path) -> None:
    record(
        asked(attempt(0), config=json.dumps(CONFIG), axes={"loss": "genCE", "noise.rate": "0.4"})
    )
    columns = ("label", "loss", "dataset", "noise", "noise_rate", "architecture", "learning_rate")
    columns = (*columns, "batch_size", "num_epochs", "precision", "seed")
    assert runs(Store(root), *columns) == [
        ("genCE", "gce", "fashion-mnist", "symmetric", 0.4, "mlp", 0.1, 128, 3, "fp32", 0)
    ]
    ((parameters,),) = runs(Store(root), "loss_parameters")
    assert json.loads(parameters) == {"q": None, "p": 1.5}


def test_a_cell_without_configuration_is_known_by_its_axes(attempt, record, root: Path) -> None:
    axes = {
        "loss": "CE", "dataset": "cifar10", "architecture": "resnet32", "noise.kind": "symmetric",
        "noise.rate": "0.4", "learning_rate": "pending", "batch_size": "64", "epochs": "9",
        "precision": "bf16",
    }  # fmt: skip
    pending = asked(attempt(0), key=None, base_key=None, config=None, axes=axes)
    record(pending, replace(pending, axes={"loss": "CE", "learning_rate": "0.1"}))
    columns = ("label", "dataset", "architecture", "noise", "noise_rate", "learning_rate")
    assert runs(Store(root), *columns, "batch_size", "num_epochs", "precision") == [
        ("CE", "cifar10", "resnet32", "symmetric", 0.4, None, 64, 9, "bf16"),
        ("CE", None, None, "none", 0.0, 0.1, None, None, None),
    ]


@pytest.mark.parametrize(
    ("noise", "axes", "shown"),
    [
        ({"name": "none"}, {"noise.kind": "symmetric", "noise.rate": "0"}, ("symmetric", 0.0)),
        ({"name": "none"}, {"noise": "none"}, ("none", 0.0)),
        ({"name": "none"}, {}, ("none", 0.0)),
        ({"name": "human", "set": "worst"}, {"noise.kind": "human"}, ("human", None)),
        ({"name": "my_noise"}, {"noise": "my_noise"}, ("my_noise", None)),
        ({"name": "asymmetric", "rate": 0.4}, {"noise.rate": "0.4"}, ("asymmetric", 0.4)),
    ],
)
def test_noise_is_named_as_the_study_does(attempt, record, root: Path, noise, axes, shown) -> None:
    record(asked(attempt(0), config=json.dumps({**CONFIG, "noise": noise}), axes=axes))
    assert runs(Store(root), "noise", "noise_rate") == [shown]


def test_studies_see_the_result_that_answers_each(attempt, record, root: Path) -> None:
    land_attempt(root, attempt(0, **with_p(2)))
    record(asked(attempt(0), config=with_p(2)["config"]), name="theirs")
    record(asked(attempt(0), config=with_p(6)["config"]), name="ours")
    store = Store(root)
    answers = store.rows("select study, standing, attempt from runs order by study")
    assert answers == [("ours", "stale", None), ("theirs", "done", attempt(0).attempt)]


def test_a_result_to_be_run_anew_no_longer_answers(attempt, record, root: Path) -> None:
    land_attempt(root, attempt(0))
    record(asked(attempt(0)))
    now = datetime.now(UTC)
    land_decisions(root, [Decision("redo", attempt(0).key, attempt(0).attempt, "why", now)])
    row = runs(Store(root), "standing", "reason", "test_accuracy", "attempt")
    assert row == [("stale", "to be run anew: why", None, None)]


def test_a_cell_in_two_phases_has_a_row_in_each(attempt, record, root: Path) -> None:
    land_attempt(root, attempt(0))
    record(asked(attempt(0), phase="search"), asked(attempt(0)))
    assert runs(Store(root), "phase", "standing") == [("search", "done"), ("main", "done")]


def test_figures_are_those_of_cells(filled: Path, attempt, record) -> None:
    record(*(asked(attempt(index)) for index in range(5)))
    store = Store(filled)
    shared = set(store.sql("select * from runs").columns) - {"study", "config", *SETTINGS}
    shared &= set(store.sql("select * from cells").columns)
    columns = ", ".join(sorted(shared))
    assert len(shared) > 40
    assert set(store.rows(f"select {columns} from runs")) == set(
        store.rows(f"select {columns} from cells")
    )
