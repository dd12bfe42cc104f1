"""A user's SQL: one statement that reads, errors in one line, answers in five forms."""

import csv
import io
import json

import pyarrow.parquet as pq
import pytest

from storage.query import (
    Answer,
    QueryError,
    run_query,
    schema_text,
    to_csv,
    to_json,
    to_markdown,
    to_table,
    write_parquet,
)
from storage.schema import VIEWS
from storage.store import Store

AWKWARD = """select * from (values
    (1, 0.123456789, 'a|b', null, timestamp '2026-01-01 12:00:00'),
    (20, 'nan'::double, 'line\nend, "quoted"', 'x', null)
) as t(n, x, s, nothing, t)"""


@pytest.fixture
def answer(root) -> Answer:
    return run_query(Store(root), AWKWARD)


@pytest.mark.parametrize(
    "query",
    ["select 1", "from cells", "with a as (select 1) select * from a", "describe cells",
     "show tables", "explain select 1", "summarize cells", "values (1)", "select 1;"],
)  # fmt: skip
def test_statements_that_read_are_answered(filled, query):
    assert run_query(Store(filled), query).columns


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("select tst_accuracy from cells", "did you mean test_accuracy?"),
        ("select c.learning_rat from cells c", "did you mean learning_rate?"),
        ("select * from cell", "did you mean cells?"),
        ("select epoch from cells", "epoch is a column of epochs"),
        ("select * from zzzzzz", "there are cells, attempts, runs, epochs"),
        ("selec 1", "syntax error"),
        ("select 1; select 2", "one statement is expected, not 2"),
        ("", "one statement is expected, not 0"),
        ("drop view cells", "not drop"),
        ("create table x as select 1", "not create"),
        ("insert into study_rows values (1)", "not insert"),
        ("copy cells to 'x.csv'", "not copy"),
        ("attach 'x.db'", "not attach"),
        ("set threads = 1", "not set"),
        ("pragma database_list", "not pragma"),
        ("select * from read_text('/etc/hostname')", "disabled by configuration"),
    ],
)
def test_errors_are_one_line_that_helps(root, query, message):
    with pytest.raises(QueryError) as caught:
        run_query(Store(root), query)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_endless_query_is_an_error(root):
    endless = "select count(*) from range(1000000000) a, range(1000000000) b"
    with pytest.raises(QueryError, match=r"after 0\.1 s"):
        run_query(Store(root), endless, timeout_seconds=0.1)


def test_parameters(filled):
    answer = run_query(Store(filled), "select count(*) from cells where loss = $1", ["ce"])
    assert answer.rows == [(2,)]


def test_order_is_kept(filled):
    answer = run_query(Store(filled), "select key from cells order by key desc")
    assert answer.rows == sorted(answer.rows, reverse=True)


def test_csv_reads_back(answer):
    rows = list(csv.reader(io.StringIO("".join(to_csv(answer)))))
    assert rows[0] == ["n", "x", "s", "nothing", "t"]
    assert rows[1] == ["1", "0.123456789", "a|b", "", "2026-01-01 12:00:00"]
    assert rows[2][2] == 'line\nend, "quoted"'


def test_json_reads_back(answer):
    first, second = json.loads("".join(to_json(answer)))
    assert first["x"] == 0.123456789
    assert first["t"] == "2026-01-01T12:00:00"
    assert second["x"] is None


def test_maps_in_json(root):
    answer = run_query(Store(root), "select map {'loss': 'CE'} as axes")
    assert json.loads("".join(to_json(answer))) == [{"axes": {"loss": "CE"}}]


def test_markdown_keeps_one_line_per_row(answer):
    lines = "".join(to_markdown(answer)).splitlines()
    assert len(lines) == 4
    assert lines[1] == "| ---: | ---: | --- | --- | --- |"
    assert "a\\|b" in lines[2]


def test_the_table_is_aligned_and_harmless(root):
    answer = run_query(Store(root), "select 'red' || chr(27) || '[31m' as s, 7 as n")
    head, rule, row = to_table(answer).splitlines()
    assert len(rule) == len(row)
    assert head.split() == ["s", "n"]
    assert "\x1b" not in row


def test_no_rows(root):
    answer = run_query(Store(root), "select key, seed from cells")
    assert "".join(to_csv(answer)) == "key,seed\n"
    assert "".join(to_json(answer)) == "[]\n"
    assert len(to_table(answer).splitlines()) == 2
    assert len("".join(to_markdown(answer)).splitlines()) == 2


def test_parquet_keeps_types(answer, tmp_path):
    write_parquet(answer, tmp_path / "x.parquet")
    assert pq.read_table(tmp_path / "x.parquet").schema.equals(answer.table.schema)


def test_the_schema_lists_every_column_with_a_meaning():
    text = schema_text()
    for view, columns in VIEWS.items():
        assert f"\n{view}\n" in f"\n{text}"
        for column in columns:
            assert column.description in text
