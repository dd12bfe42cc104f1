"""What a store knows of each key, and the columns of axes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from storage import Store
from storage.attempt import Attempt, PlannedCell, StudyRecord
from storage.landing import attempt_table, land_attempt, land_study
from storage.schema import VIEWS
from storage.segments.compaction import compact
from storage.standing.judgement import Standing, judge
from storage.standing.known import axis_names, read_known

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.mark.parametrize("is_compacted", [False, True])
def test_results_and_failures_by_key(
    filled: Path, attempt: Callable[..., Attempt], is_compacted: bool
) -> None:
    if is_compacted:
        compact(filled)
    known = Store(filled).known
    assert len(known.results) == 5
    (result,) = known.results[attempt(4).key]
    assert (result.outcome, result.edition, result.redo) == ("diverged", 0, None)
    failures = known.failures[attempt(5).key]
    assert (failures.number, failures.words) == (2, "2 failed attempts: x")
    assert known.revisions[attempt(0).base_key] == attempt(0).revisions
    assert (known.next_edition(attempt(0).key), known.next_edition(attempt(5).key)) == (1, 0)


def test_editions_come_the_newest_first(attempt: Callable[..., Attempt]) -> None:
    editions = [attempt_table(attempt(0, run=number, edition=number)) for number in (1, 0, 2)]
    known = read_known(editions, ())
    assert [one.edition for one in known.results[attempt(0).key]] == [2, 1, 0]
    assert known.next_edition(attempt(0).key) == 3


def test_the_newest_result_says_which_revisions_were_last(attempt: Callable[..., Attempt]) -> None:
    """Keys of several revisions share a base key."""
    base, start = attempt(0).base_key, attempt(0).committed_at
    rows = [
        attempt(number, base_key=base, revisions=json.dumps({"loss": number}),
                committed_at=start + timedelta(days=days))
        for number, days in ((2, 5), (3, 9), (1, 0))
    ]  # fmt: skip
    table = pa.concat_tables(attempt_table(row) for row in rows)
    assert read_known([table], ()).revisions[base] == '{"loss": 3}'


@pytest.mark.parametrize("version", ["version_1", "version_2"])
def test_old_stores_answer_and_say_what_they_do_not_know(tmp_path: Path, version: str) -> None:
    root = Path(shutil.copytree(FIXTURES / version, tmp_path / "store"))
    store = Store(root)
    for (found,) in store.known.results.values():
        cell = PlannedCell(
            "s", "main", 0, found.key, found.base_key, 0, {}, found.config, None,
            sources='{"loss": {"name": "ce", "origin": "plug-in", "sha256": "a"}}',
            train_data_sha256="t", test_data_sha256="e",
        )  # fmt: skip
        verdict = judge(cell, store.known)
        assert (verdict.standing, verdict.unknown) == (Standing.DONE, ("code", "data"))


def test_axes_have_names_that_sql_can_tell_apart() -> None:
    axes = ["loss.p", "loss.P", "loss.a.b", "loss.a_b", "loss.parameters", "noise_rate", '"; --']
    names = axis_names([*axes, "!", "?", "loss.λ", "axis_noise_rate", "epochs", "loss"])
    assert names == {
        "!": "axis",
        '"; --': "axis_axis",
        "?": "axis_axis_axis",
        "axis_noise_rate": "axis_noise_rate",
        "loss.P": "loss_P",
        "loss.a.b": "loss_a_b",
        "loss.a_b": "axis_loss_a_b",
        "loss.p": "axis_loss_p",
        "loss.parameters": "axis_loss_parameters",
        "loss.λ": "loss_λ",
        "noise_rate": "axis_axis_noise_rate",
    }
    assert len({name.lower() for name in names.values()}) == len(names)


@pytest.fixture
def with_axes(root: Path, study: StudyRecord) -> Callable[..., Store]:
    """A store with a study whose cells have these axes."""

    def with_axes(*cells: dict[str, str], name: str = "quickstart") -> Store:
        planned = tuple(
            replace(study.planned[0], study=name, position=position, axes=axes)
            for position, axes in enumerate(cells)
        )
        land_study(root, replace(study, name=name, planned=planned))
        return Store(root)

    return with_axes


def values(store: Store, column: str) -> list[object]:
    order = "study, position"
    return [value for (value,) in store.rows(f"select {column} from runs order by {order}")]


@pytest.mark.parametrize(
    ("texts", "shown"),
    [
        (["1", "-2.5", "1e-3", ".5"], [1.0, -2.5, 0.001, 0.5]),
        (["1", "null"], [1.0, None]),
        (["null", "null"], ["null", "null"]),
        (["true", "false"], [True, False]),
        (["true", "1"], ["true", "1"]),
        (["1_000", "2"], ["1_000", "2"]),  # a number to Python, not to SQL
        (["nan", "inf"], ["nan", "inf"]),
        (["١", "2"], ["١", "2"]),
        (["", "2"], ["", "2"]),
        (["[256, 128]", "[4]"], ["[256, 128]", "[4]"]),
    ],
)
def test_a_column_is_of_numbers_if_all_its_values_are(
    with_axes: Callable[..., Store], texts: list[str], shown: list[object]
) -> None:
    store = with_axes(*({"loss": "CE", "loss.q": text} for text in texts))
    assert values(store, "loss_q") == shown


def test_studies_with_other_axes_share_the_view(with_axes: Callable[..., Store]) -> None:
    with_axes({"loss": "CE", "loss.q": "0.7", "loss.mode": "fast"}, name="a")
    store = with_axes({"loss": "CE", "optimizer.momentum": "0.9"}, {"loss.mode": "1"}, name="b")
    assert values(store, "loss_q") == [0.7, None, None]
    assert values(store, "optimizer_momentum") == [None, 0.9, None]
    assert values(store, "loss_mode") == ["fast", None, "1"]


@pytest.mark.parametrize(
    "axis",
    [
        '"; drop view runs; --', "'; drop view runs; --", "a'b\"c", "a\\", "$axes", "-- x", "/* x",
        "λ.μ", "数.据", "a b\tc\nd", "", ".", "select", "1", "loss.seconds", "device", "SEED",
        "noise_rate", "standing", "attempt",
    ],
)  # fmt: skip
def test_no_name_of_an_axis_breaks_a_store(with_axes: Callable[..., Store], axis: str) -> None:
    store = with_axes({"loss": "CE", axis: "it's"})
    (name,) = axis_names([axis]).values()
    quoted = '"' + name.replace('"', '""') + '"'
    assert values(store, quoted) == ["it's"]
    names = {column.name for column in VIEWS["runs"]}
    assert names <= set(store.sql("select * from runs").columns)
    assert values(store, "device") == [None]


def test_a_store_without_studies_has_the_view(root: Path, attempt: Callable[..., Attempt]) -> None:
    land_attempt(root, attempt(0))
    assert Store(root).sql("select * from runs").columns == [c.name for c in VIEWS["runs"]]
    assert Store(root).rows("select * from runs") == []
