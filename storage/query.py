"""SQL from a user: one read-only statement in, an answer or one clear sentence out, and its forms.

The store's session is locked already; this adds the rule of one statement, limits of time and
memory over the whole answer, and errors that name the nearest column or view. An answer comes in
batches, and so do its text forms, so that a long one needs no more memory than a short one; only
`write_parquet` touches a file, whose path comes from the caller and never from the SQL.
"""

from __future__ import annotations

import csv
import difflib
import io
import itertools
import json
import re
import resource
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from storage.schema import VIEWS, Column
from storage.store import Store

TIMEOUT_SECONDS = 60.0
BATCH_ROWS = 2048
MOST_BYTES = 4 << 30
"""Memory that an answer may take beside the store."""

MOST_CHARACTERS = 10_000
"""Of a value that is shown in a table."""

_NO_MEMORY = f"the answer needs more than {MOST_BYTES >> 30} GB of memory"
_UNKNOWN_COLUMN = re.compile(r'column "?(?:\w+\.)?(\w+)"? not found|column named "(\w+)"')
_UNKNOWN_VIEW = re.compile(r"Table with name (\S+) does not exist")


class QueryError(Exception):
    """A query that is refused, wrong or too slow. The text is one line."""


@dataclass(frozen=True)
class Answer:
    """Rows of a query. Times are UTC without a zone.

    Args:
        batches: to be read once, unless they are a list.
    """

    schema: pa.Schema
    batches: Iterable[pa.RecordBatch]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.schema.names)

    @property
    def table(self) -> pa.Table:
        return pa.Table.from_batches(self.batches, schema=self.schema)

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        return list(self)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        for batch in self.batches:
            lists = [column.to_pylist(maps_as_pydicts="lossy") for column in batch.columns]
            yield from zip(*lists, strict=True)


def run_query(
    store: Store,
    query: str,
    parameters: Sequence[object] = (),
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Answer:
    """Run one read-only statement, and keep its whole answer. Raises QueryError."""
    with ask(store, query, parameters, timeout_seconds=timeout_seconds) as answer:
        return Answer(answer.schema, list(answer.batches))


@contextmanager
def ask(
    store: Store,
    query: str,
    parameters: Sequence[object] = (),
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Iterator[Answer]:
    """One read-only statement, whose rows are made as they are taken.

    The time limit holds until the context ends. Raises QueryError, at any batch.
    """
    deadline = time.monotonic() + timeout_seconds
    late = QueryError(f"the query was ended after {timeout_seconds:g} s")
    try:
        _check_reads(query)
        with store.time_limit(timeout_seconds):
            reader = store.sql(query, parameters).to_arrow_reader(BATCH_ROWS)
            yield Answer(reader.schema, _until(deadline, reader, late))
    except TimeoutError:
        raise late from None
    except MemoryError:
        raise QueryError(_NO_MEMORY) from None
    except duckdb.Error as error:
        raise QueryError(_explain(str(error))) from error


def _until(
    deadline: float, reader: pa.RecordBatchReader, late: QueryError
) -> Iterator[pa.RecordBatch]:
    """The batches of `reader`; an error of DuckDB reaches Arrow as one of input and output."""
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        except (OSError, pa.ArrowException) as error:
            raise late if "INTERRUPT" in str(error) else QueryError(_explain(str(error))) from None
        if time.monotonic() > deadline:
            raise late
        yield batch


@contextmanager
def limited_memory(num_bytes: int = MOST_BYTES) -> Iterator[None]:
    """What is asked for inside may take so much memory beside what the process has.

    DuckDB's own limit does not count the text that a function makes.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = [limit for limit in (taken + num_bytes, soft) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min(limits), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def to_table(answer: Answer, most_rows: int | None = None) -> str:
    """Aligned columns for a terminal, numbers to the right.

    Args:
        most_rows: rows that are shown; of the others it is said that they are there.
    """
    found = list(itertools.islice(answer, None if most_rows is None else most_rows + 1))
    shown = found[:most_rows]
    cells = [answer.columns, *([_show(value) for value in row] for row in shown)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(answer.columns))]
    is_number = [_is_number(field.type) for field in answer.schema]
    lines = [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, is_number, strict=True)
        ).rstrip()
        for row in cells
    ]
    rule = "  ".join("─" * width for width in widths)
    more = f"… and more rows than these {len(shown):,}; --all or --format csv writes every row"
    rest = [more] if len(found) > len(shown) else []
    return "\n".join([lines[0], rule, *lines[1:], *rest]) + "\n"


def to_csv(answer: Answer) -> Iterator[str]:
    """RFC 4180 with a header, line by line; NULL is an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in itertools.chain([answer.columns], answer):
        writer.writerow([_plain(value) for value in row])
        yield text.getvalue()
        text.seek(0)
        text.truncate()


def to_json(answer: Answer) -> Iterator[str]:
    """A list of objects, one by one; times in ISO 8601, numbers that are not finite as null."""
    before = "[\n "
    for row in answer:
        fields = dict(zip(answer.columns, map(_jsonable, row), strict=True))
        text = json.dumps(fields, indent=1, ensure_ascii=False, allow_nan=False)
        yield before + text.replace("\n", "\n ")
        before = ",\n "
    yield "[]\n" if before.startswith("[") else "\n]\n"


def to_markdown(answer: Answer) -> Iterator[str]:
    """A GitHub table, line by line; pipes and line ends in values are escaped."""
    marks = ["---:" if _is_number(field.type) else "---" for field in answer.schema]
    rows = ([_show(value) for value in row] for row in answer)
    for row in itertools.chain([answer.columns, marks], rows):
        escaped = (cell.replace("|", "\\|") for cell in row)
        yield f"| {' | '.join(escaped)} |\n"


def write_parquet(answer: Answer, path: Path) -> None:
    """Write the answer to `path` with its types."""
    from pyarrow.parquet import ParquetWriter

    with ParquetWriter(path, answer.schema, compression="zstd") as writer:
        for batch in answer.batches:
            writer.write_batch(batch)


def schema_text() -> str:
    """Every view with its columns: name, type, unit and one line of meaning."""
    blocks = []
    for view, columns in VIEWS.items():
        width = max(len(column.name) for column in columns)
        lines = [f"  {column.name.ljust(width)}  {_describe(column)}" for column in columns]
        blocks.append("\n".join([view, *lines]))
    return "\n\n".join(blocks) + "\n"


def _check_reads(query: str) -> None:
    """Raises QueryError unless `query` is one statement that reads."""
    with duckdb.connect(":memory:") as parser:
        kinds = [statement.type for statement in parser.extract_statements(query)]
        if kinds == [duckdb.StatementType.EXPLAIN]:
            kinds = _explained(parser, query)
    if len(kinds) != 1:
        raise QueryError(f"one statement is expected, not {len(kinds)}")
    if kinds[0] != duckdb.StatementType.SELECT:
        kind = str(kinds[0]).rpartition(".")[2].lower()
        raise QueryError(f"only statements that read are allowed (select, describe …), not {kind}")


def _explained(parser: duckdb.DuckDBPyConnection, query: str) -> list[duckdb.StatementType]:
    """What an `explain` explains, and with `analyze` runs: the first part that is a statement.

    Text of the query is taken apart by DuckDB itself, since comments may stand anywhere.
    """
    content = query.encode()  # places are those of bytes
    for start, _ in duckdb.tokenize(query)[1:]:
        try:
            rest = parser.extract_statements(content[start:].decode(errors="replace"))
        except duckdb.Error:
            continue
        if rest:
            return [statement.type for statement in rest]
    return []


def _explain(message: str) -> str:
    """DuckDB's message in one line, with the nearest view or column where a name is unknown."""
    if message.startswith("Out of Memory Error") or "malloc of size" in message:
        return _NO_MEMORY
    own_hint = re.split(r"\n\n|Candidate|Did you mean", message)[0]
    line = re.sub(r"^(Binder|Catalog|Invalid Input) Error: ", "", " ".join(own_hint.split()))
    if found := _UNKNOWN_VIEW.search(message):
        return line + (_nearest(found[1], set(VIEWS)) or f" (there are {', '.join(VIEWS)})")
    if found := _UNKNOWN_COLUMN.search(message):
        name = found[1] or found[2]
        names = {view: {column.name for column in columns} for view, columns in VIEWS.items()}
        if homes := [view for view, columns in names.items() if name.lower() in columns]:
            return f"{line} ({name} is a column of {', '.join(homes)})"
        return line + _nearest(name, set().union(*names.values()))
    return line


def _nearest(name: str, known: set[str]) -> str:
    nearest = difflib.get_close_matches(name.lower(), sorted(known), n=1, cutoff=0.5)
    return f" (did you mean {nearest[0]}?)" if nearest else ""


def _describe(column: Column) -> str:
    kind = {"string": "text", "double": "real", "int64": "whole", "bool": "yes/no"}
    name = kind.get(str(column.type), "time" if pa.types.is_timestamp(column.type) else "map")
    unit = f" [{column.unit}]" if column.unit else ""
    return f"{name:6}  {column.description}{unit}"


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _plain(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return json.dumps(value, default=str) if isinstance(value, (list, dict)) else value


def _show(value: Any) -> str:
    """A value in one line of a table: floats to six digits, NULL as a dot."""
    if value is None:
        return "·"
    text = f"{value:.6g}" if isinstance(value, float) else str(_plain(value))
    if len(text) > MOST_CHARACTERS:
        text = text[:MOST_CHARACTERS] + "…"
    return "".join(char if char.isprintable() else " " for char in text)


def _jsonable(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {key: _jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, (str, int, type(None))) else str(value)
