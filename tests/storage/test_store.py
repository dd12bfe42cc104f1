"""What a researcher reads from a store: views, states, curves, damage, locked SQL."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from storage import integrity
from storage.landing import attempt_table, land_attempt, land_picks, land_study
from storage.schema import SCALARS, VERSION_KEY, VIEWS, attempt_schema
from storage.segments.compaction import compact
from storage.standing.judgement import Failures
from storage.store import Store


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_is_there_on_an_empty_store_with_the_documented_columns(root, view):
    relation = Store(root).sql(f"select * from {view}")
    assert relation.columns == [column.name for column in VIEWS[view]]
    assert relation.fetchall() == []


def test_documented_types_are_the_served_ones(filled, study):
    land_study(filled, study)
    words = {"string": "VARCHAR", "double": "DOUBLE", "int64": "BIGINT", "bool": "BOOLEAN"}
    for view, columns in VIEWS.items():
        served = [str(kind) for kind in Store(filled).sql(f"select * from {view}").types]
        stated = [
            words.get(
                str(column.type),
                "TIMESTAMP" if pa.types.is_timestamp(column.type) else "MAP(VARCHAR, VARCHAR)",
            )
            for column in columns
        ]
        assert served == stated, view


def test_cells_hold_last_and_best_figures(root, attempt):
    accuracies = (0.2, 0.9, 0.9, 0.1)
    curves = {**attempt(0, epochs=4).curves, "test_accuracy": accuracies}
    land_attempt(root, attempt(0, epochs=4, curves=curves))
    query = "select test_accuracy, best_test_accuracy, best_epoch, at_chance from cells"
    assert Store(root).rows(query) == [(0.1, 0.9, 2, True)]
    compact(root)
    assert Store(root).rows(query) == [(0.1, 0.9, 2, True)]


@pytest.mark.parametrize(
    ("outcome", "accuracy", "at_chance"),
    [("finished", 0.104, True), ("finished", 0.12, False), ("diverged", 0.1, False)],
)
def test_at_chance_is_a_finished_cell_that_learned_nothing(
    root, attempt, outcome, accuracy, at_chance
):
    curves = {**attempt(0).curves, "test_accuracy": (accuracy,) * 3}
    land_attempt(root, attempt(0, outcome=outcome, curves=curves))
    assert Store(root).rows("select at_chance from cells") == [(at_chance,)]


@pytest.mark.parametrize("compacted", [False, True])
def test_counts_of_the_views(filled, compacted):
    if compacted:
        compact(filled)
    store = Store(filled)
    counts = {
        view: store.rows(f"select count(*) from {view}")[0][0]
        for view in ("cells", "attempts", "epochs", "failures")
    }
    assert counts == {"cells": 5, "attempts": 7, "epochs": 15, "failures": 2}


def test_times_are_utc(root, attempt):
    land_attempt(root, attempt(0))
    expected = attempt(0).started_at.replace(tzinfo=None)
    assert Store(root).rows("select started_at from cells") == [(expected,)]


@pytest.mark.parametrize("compacted", [False, True])
def test_it_knows_results_and_the_latest_failure(filled, attempt, failure, compacted):
    land_attempt(filled, failure(0, committed_at=attempt(0).committed_at + timedelta(days=9)))
    if compacted:
        compact(filled)
    known = Store(filled).known
    assert len(known.results) == 5
    (done,) = known.results[attempt(0).key]
    assert (done.outcome, known.failures[attempt(0).key].number) == ("finished", 1)
    assert (done.revisions, done.seconds) == (attempt(0).revisions, 30.0)
    assert known.failures[attempt(5).key] == Failures(2, "exception", "x")
    assert known.results[attempt(4).key][0].outcome == "diverged"


@pytest.mark.parametrize("compacted", [False, True])
def test_curves_come_back_bit_for_bit(filled, attempt, compacted):
    if compacted:
        compact(filled)
    wanted = [attempt(index).attempt for index in (1, 2, 5, 99)]
    curves = Store(filled).curves(wanted, "test_loss")
    assert curves == {attempt(i).attempt: attempt(i).curves["test_loss"] for i in (1, 2)}
    with pytest.raises(ValueError, match="no metric 'epoch_seconds'"):
        Store(filled).curves(wanted, "epoch_seconds")


def test_missing_gives_the_reason(filled, study, attempt):
    land_attempt(filled, attempt(106, base_key=study.planned[6].base_key))
    land_study(filled, study)
    store = Store(filled)
    assert store.rows("select count(*) from planned") == [(9,)]
    rows = store.rows("select position, reason from missing order by position")
    assert rows == [
        (5, "2 failed attempts: x"),
        (6, "revision of a component ? → ?"),
        (8, "a pick that it needs is not made yet"),
    ]
    assert store.rows("select axes['noise.rate'] from missing limit 1") == [("0.4",)]


def test_studies_and_picks_as_views(root, study, pick):
    land_study(root, study)
    land_picks(root, study.name, [pick])
    store = Store(root)
    assert store.rows("select study, title, overrides from studies") == [
        ("quickstart", "A title", "seeds=1 cell.epochs=2")
    ]
    assert store.rows("select field, value, \"group\"['loss'] from picks") == [
        ("learning_rate", "0.1", "CE")
    ]


def test_damage_is_set_aside_reported_once_and_its_cell_missing_again(filled, study, attempt):
    land_study(filled, study)
    path = filled / "attempts" / f"{attempt(0).key}.parquet"
    path.write_bytes(path.read_bytes()[:100])
    store = Store(filled)
    (damage,) = store.damaged
    assert damage.path == path
    assert damage.moved_to is not None
    assert damage.moved_to.read_bytes()[:4] == b"PAR1"
    assert (0, "new") in store.rows("select position, reason from missing")
    assert Store(filled).damaged == ()


def test_a_read_only_store_moves_nothing(filled, attempt):
    path = filled / "attempts" / f"{attempt(0).key}.parquet"
    path.write_bytes(b"")
    store = Store(filled, read_only=True)
    assert [(one.path, one.moved_to) for one in store.damaged] == [(path, None)]
    assert path.exists()
    assert store.rows("select count(*) from cells") == [(4,)]


def test_a_file_that_cannot_be_opened_now_is_reported_and_stays(filled, attempt, monkeypatch):
    path = filled / "attempts" / f"{attempt(0).key}.parquet"
    read_bytes = integrity.read_bytes

    def fail(asked: Path) -> bytes:
        if asked == path:
            raise OSError(5, "Input/output error")
        return read_bytes(asked)

    monkeypatch.setattr(integrity, "read_bytes", fail)
    (damage,) = Store(filled).damaged
    assert (damage.reason, damage.moved_to) == ("it cannot be read: Input/output error", None)
    assert path.exists()


def test_foreign_and_misplaced_files_are_not_served(filled, attempt, study):
    folder = filled / "attempts"
    (folder / "notes.txt").write_text("hello")
    (folder / ".hidden.tmp").write_text("being written")
    land_study(filled, study)
    (filled / "studies" / "quickstart.parquet").rename(folder / f"{'b' * 64}.parquet")
    (folder / f"{attempt(0).key}.parquet").rename(folder / f"{attempt(9).key}.parquet")
    store = Store(filled)
    assert len(store.damaged) == 3
    assert store.rows("select count(*) from cells") == [(4,)]
    assert (folder / ".hidden.tmp").exists()


def test_old_files_lack_columns_and_newer_ones_have_more(root, attempt):
    table = attempt_table(attempt(0))
    older = table.drop_columns(["peak_memory_bytes", "memorization"])
    newer = attempt_table(attempt(1)).append_column("tomorrow", pa.array([1]))
    newer = newer.replace_schema_metadata({VERSION_KEY: b"99"})
    folder = root / "attempts"
    folder.mkdir(parents=True)
    for index, changed in ((0, older), (1, newer)):
        path = folder / f"{attempt(index).key}.parquet"
        path.write_bytes(integrity.encode(changed))
    store = Store(root)
    assert store.rows("select peak_memory_bytes, memorization from cells order by seed") == [
        (None, None),
        (None, attempt(1).curves["memorization"][-1]),
    ]
    assert store.damaged == ()
    assert [path.stem for path in store.newer_files] == [attempt(1).key]


def test_a_column_of_another_type_is_damage(root, attempt):
    table = attempt_table(attempt(0))
    index = table.column_names.index("num_epochs")
    wrong = table.set_column(index, "num_epochs", pa.array(["many"]))
    path = root / "attempts" / f"{attempt(0).key}.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(integrity.encode(wrong))
    assert "columns are not ours" in Store(root).damaged[0].reason


def test_no_scalar_is_lost_on_the_way(root, attempt):
    facts = {"resumed_from_epoch": 2, "num_classes": 1, "transition_matrix": "[[1.0]]"}
    given = attempt(0, peak_memory_bytes=7, **facts)
    land_attempt(root, given)
    names = [c.name for c in SCALARS if c.name not in ("started_at", "committed_at")]
    expected = [tuple(getattr(given, name) for name in names)]
    for _ in range(2):
        assert Store(root).rows(f"select {', '.join(names)} from attempts") == expected
        compact(root)
    assert len(attempt_schema()) == len(SCALARS) + len(given.curves)


def test_a_query_outlives_its_store(filled):
    compact(filled)
    assert Store(filled).sql("select count(*) from epochs").fetchall() == [(15,)]


HOSTILE = [
    "copy (select 1) to '{path}'",
    "copy cells to '{path}' (format parquet)",
    "export database '{path}'",
    "attach '{path}'",
    "create table x as select * from read_csv('{file}')",
    "select * from read_text('{file}')",
    "select * from read_parquet('{store}/attempts/*.parquet')",
    "select * from '{file}'",
    "select * from glob('{store}/*')",
    "select * from read_blob('{file}')",
    "install httpfs",
    "load httpfs",
    "set enable_external_access = true",
    "set lock_configuration = false",
    "set temp_directory = '{path}'",
    "reset memory_limit",
    "select * from file",
    "select * from sys.modules",
]


@pytest.mark.parametrize("statement", HOSTILE)
def test_sql_reaches_no_file_and_no_setting(filled, tmp_path, statement):
    file = tmp_path / "secret.csv"
    file.write_text("a,b\n1,2\n")
    store = Store(filled)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(duckdb.Error):
        store.sql(
            statement.format(path=tmp_path / "out", file=file, store=filled), timeout_seconds=5
        ).fetchall()
    assert sorted(tmp_path.rglob("*")) == before


def test_parameters_are_values(filled):
    hostile = "' or 1=1; drop view cells; --"
    store = Store(filled)
    assert store.sql("select * from cells where loss = $1", [hostile]).fetchall() == []
    assert store.rows("select count(*) from cells where loss = $1", ["ce"]) == [(2,)]


def test_an_endless_query_is_ended(root):
    endless = "select count(*) from range(1000000000) a, range(1000000000) b"
    with pytest.raises(TimeoutError, match=r"after 0\.2 s"):
        Store(root).sql(endless, timeout_seconds=0.2)


def test_importing_storage_loads_nothing_heavy():
    heavy = "('duckdb', 'pyarrow', 'torch', 'ray')"
    code = f"import sys, storage; print([m for m in {heavy} if m in sys.modules])"
    assert _run(code) == "[]"


@pytest.mark.parametrize("compacted", [False, True])
def test_a_count_loads_no_pandas_and_no_torch(filled, compacted):
    if compacted:
        compact(filled)
    code = (
        "import sys; from storage import Store; "
        f"print(Store({str(filled)!r}).sql('select count(*) from cells').fetchall(), "
        "[m for m in ('pandas', 'pydantic', 'torch', 'ray') if m in sys.modules])"
    )
    assert _run(code) == "[(5,)] []"


def _run(code: str) -> str:
    here = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": here}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stderr == ""
    return done.stdout.strip()


def test_every_version_of_a_study_is_a_row(root, study):
    for title in ("first", "second"):
        land_study(root, replace(study, title=title, launch=f"the {title}"))
    rows = Store(root).rows("select version, is_current, title, launch from studies order by 1")
    assert rows == [(0, False, "first", "the first"), (1, True, "second", "the second")]
