"""SQL from a user: one read-only statement in, an answer or one clear sentence out, and its forms.

The store's session is locked already; this adds the rule of one statement, a time limit, and errors
that name the nearest column or view. Text forms are values; only `write_parquet` touches a file,
whose path comes from the caller and never from the SQL.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from storage.schema import VIEWS, Column
from storage.store import Store

TIMEOUT_SECONDS = 60.0
_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
_UNKNOWN_COLUMN = re.compile(r'column "?(?:\w+\.)?(\w+)"? not found|column named "(\w+)"')
_UNKNOWN_VIEW = re.compile(r"Table with name (\S+) does not exist")


class QueryError(Exception):
    """A query that is refused, wrong or too slow. The text is one line."""


@dataclass(frozen=True)
class Answer:
    """Rows of a query as an Arrow table. Times are UTC without a zone."""

    table: pa.Table

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.table.column_names)

    @property
    def rows(self) -> list[tuple[Any, ...]]:
        lists = [column.to_pylist(maps_as_pydicts="lossy") for column in self.table.columns]
        return list(zip(*lists, strict=True))


def run_query(
    store: Store,
    query: str,
    parameters: Sequence[object] = (),
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Answer:
    """Run one read-only statement. Raises QueryError."""
    try:
        _check_reads(query)
        relation = store.sql(query, parameters, timeout_seconds=timeout_seconds)
        return Answer(relation.to_arrow_table())
    except TimeoutError as error:
        raise QueryError(str(error)) from error
    except duckdb.Error as error:
        raise QueryError(_explain(str(error))) from error


def to_table(answer: Answer) -> str:
    """Aligned columns for a terminal, numbers to the right."""
    cells = [answer.columns, *([_show(value) for value in row] for row in answer.rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(answer.columns))]
    is_number = [_is_number(column.type) for column in answer.table.columns]
    lines = [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, is_number, strict=True)
        ).rstrip()
        for row in cells
    ]
    rule = "  ".join("─" * width for width in widths)
    return "\n".join([lines[0], rule, *lines[1:]]) + "\n"


def to_csv(answer: Answer) -> str:
    """RFC 4180 with a header; NULL is an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(answer.columns)
    writer.writerows([_plain(value) for value in row] for row in answer.rows)
    return text.getvalue()


def to_json(answer: Answer) -> str:
    """A list of objects; times in ISO 8601, numbers that are not finite as null."""
    names = answer.columns
    rows = [dict(zip(names, map(_jsonable, row), strict=True)) for row in answer.rows]
    return json.dumps(rows, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def to_markdown(answer: Answer) -> str:
    """A GitHub table; pipes and line ends in values are escaped."""
    marks = ["---:" if _is_number(column.type) else "---" for column in answer.table.columns]
    rows = [answer.columns, marks, *([_show(value) for value in row] for row in answer.rows)]
    escaped = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in escaped)


def write_parquet(answer: Answer, path: Path) -> None:
    """Write the answer to `path` with its types."""
    import pyarrow.parquet as pq

    pq.write_table(answer.table, path, compression="zstd")


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
        statements = parser.extract_statements(query)
    if len(statements) != 1:
        raise QueryError(f"one statement is expected, not {len(statements)}")
    if statements[0].type not in _READING:
        kind = str(statements[0].type).rpartition(".")[2].lower()
        raise QueryError(f"only statements that read are allowed (select, describe …), not {kind}")


def _explain(message: str) -> str:
    """DuckDB's message in one line, with the nearest view or column where a name is unknown."""
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
