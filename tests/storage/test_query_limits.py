"""One limit of time, memory and shown rows over the whole answer; nothing that writes gets in."""

from __future__ import annotations

import itertools
import resource
import time

import pyarrow as pa
import pytest

from storage.query import (
    Answer,
    QueryError,
    ask,
    limited_memory,
    run_query,
    to_csv,
    to_table,
)
from storage.store import Store

ENDLESS = "select * from range(100000000000)"


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("explain analyze delete from study_rows", "delete"),
        ("explain delete from study_rows", "delete"),
        ("EXPLAIN /* ü */ ANALYZE\n-- x\ndelete from study_rows", "delete"),
        ("explain (analyze, format json) delete from study_rows", "delete"),
        ("explain analyze with a as (select 1) insert into study_rows select * from a", "insert"),
        ("explain analyze copy (select 1) to '/tmp/x'", "copy"),
        ("explain analyze create table x as select 1", "create"),
        ("explain analyze set threads = 1", "set"),
        ("with a as (select 1) insert into study_rows select * from a", "insert"),
        ("with a as (select 1) delete from study_rows", "delete"),
        ("update study_rows set study = 'x'", "update"),
        ("install json", "load"),
        ("load json", "load"),
        ("export database '/tmp/x'", "export"),
        ("call pragma_version()", "call"),
        ("detach x", "detach"),
        ("vacuum", "vacuum"),
        ("checkpoint", "call"),
        ("begin", "transaction"),
        ("prepare p as select 1", "prepare"),
        ("execute p", "execute"),
    ],
)
def test_what_does_not_read_is_refused(root, query, kind) -> None:
    with pytest.raises(QueryError, match=f"only statements that read .* not {kind}"):
        run_query(Store(root), query)


@pytest.mark.parametrize(
    "query",
    ["explain analyze select 1", "explain (format json) select 1", "explain from cells",
     "explain /* delete */ with a as (select 'delete') select * from a"],
)  # fmt: skip
def test_what_reads_is_explained(filled, query) -> None:
    assert run_query(Store(filled), query).rows


def test_rows_come_before_the_answer_ends(root) -> None:
    with ask(Store(root), ENDLESS) as answer:
        assert list(itertools.islice(answer, 3)) == [(0,), (1,), (2,)]
        assert next(to_csv(Answer(answer.schema, answer.batches))) == "range\n"


def test_the_time_limit_is_that_of_the_whole_answer(root) -> None:
    started = time.monotonic()
    with (
        pytest.raises(QueryError, match=r"ended after 0\.3 s"),
        ask(Store(root), ENDLESS, timeout_seconds=0.3) as answer,
    ):
        for _ in answer:
            pass
    assert time.monotonic() - started < 5


def test_a_table_says_that_there_is_more(root) -> None:
    with ask(Store(root), ENDLESS) as answer:
        lines = to_table(answer, most_rows=3).splitlines()
    assert len(lines) == 6
    assert lines[-1].startswith("… and more rows than these 3; --all or --format csv")
    whole = run_query(Store(root), "select * from range(3)")
    assert len(to_table(whole, most_rows=3).splitlines()) == 5


def test_a_value_is_cut_in_a_table_and_whole_in_csv(root) -> None:
    answer = run_query(Store(root), "select repeat('a', 30000) as a")
    assert len(to_table(answer)) < 31_000
    assert len("".join(to_csv(answer))) > 30_000


def test_a_wide_value_ends_with_one_line_and_the_limit_with_the_question(root) -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    with (
        pytest.raises(QueryError, match="the answer needs more than 4 GB of memory"),
        limited_memory(1 << 30),
        ask(Store(root), "select repeat('a', 3000000000) as a") as answer,
    ):
        list(answer)
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_an_answer_in_memory_can_be_read_twice() -> None:
    batch = pa.record_batch({"a": ["x"]})
    answer = Answer(batch.schema, [batch])
    assert answer.rows == answer.rows == [("x",)]
