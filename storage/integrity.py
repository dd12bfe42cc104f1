"""Self-verifying Parquet: every file carries the SHA-256 of its own bytes.

The digest sits in the file's key-value metadata. It is taken with 64 zeros in its place, so one
atomic file holds rows and proof, and any Parquet reader can read it. Parquet itself does not notice
a flipped bit in a page; with this, every flip is seen before a row is served. Knows bytes and Arrow
tables, not what the rows mean.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from pyarrow.parquet import ParquetFile, ParquetWriter

DIGEST_KEY = b"orchestrator.sha256"
BLANK = b"0" * 64
MAGIC = b"PAR1"
_MARK = DIGEST_KEY + b"\x18\x40"
"""The key as Thrift's compact form writes it: then one byte of field header, one of length (64).

Control bytes do not occur in JSON or base64, so no other entry of the metadata can look like it.
"""


class DamagedFileError(Exception):
    """A file's bytes are not what was written, or never were ours. The text says what is wrong."""


def encode(table: pa.Table) -> bytes:
    """Parquet bytes of `table`, its schema metadata included, with their own digest."""
    content = _parquet_bytes(table)
    start = _digest_position(content)
    return content[:start] + _digest(content, start) + content[start + len(BLANK) :]


def decode(content: bytes, columns: Sequence[str] | None = None) -> pa.Table:
    """The table in `content`, or some of its columns.

    Raises DamagedFileError unless the digest holds.
    """
    start = _digest_position(content)
    if _digest(content, start) != content[start : start + len(BLANK)]:
        raise DamagedFileError("its content does not match its digest")
    return _parse(content, columns)


def read(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """The table in a file. Raises DamagedFileError, or FileNotFoundError if it has gone."""
    return decode(path.read_bytes(), columns)


def peek(path: Path, columns: Sequence[str]) -> pa.Table:
    """Some columns of a file, not verified: good for a guess that `read` then confirms."""
    return _parse(path.read_bytes(), columns)


def stated_digest(content: bytes) -> str:
    """The digest that a file states of itself, which names segments."""
    start = _digest_position(content)
    return content[start : start + len(BLANK)].decode("ascii", "replace")


def _parquet_bytes(table: pa.Table) -> bytes:
    """Parquet with a blank digest. Nobody prunes by statistics; single rows repeat no value."""
    sink = pa.BufferOutputStream()
    with ParquetWriter(
        sink,
        table.schema,
        compression="zstd",
        use_dictionary=table.num_rows > 1,
        write_statistics=False,
        store_schema=False,
    ) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({**(table.schema.metadata or {}), DIGEST_KEY: BLANK})
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _parse(content: bytes, columns: Sequence[str] | None) -> pa.Table:
    try:
        file = ParquetFile(pa.BufferReader(content))
        present = set(file.schema_arrow.names)
        wanted = None if columns is None else [name for name in columns if name in present]
        return file.read(columns=wanted)
    except (pa.ArrowException, OSError) as error:
        raise DamagedFileError(f"it cannot be parsed: {error}") from error


def _digest(content: bytes, start: int) -> bytes:
    """SHA-256 of the bytes with the digest at `start` blanked, as 64 hexadecimal digits."""
    view = memoryview(content)
    digest = hashlib.sha256(view[:start])
    digest.update(BLANK)
    digest.update(view[start + len(BLANK) :])
    return digest.hexdigest().encode()


def _digest_position(content: bytes) -> int:
    """Where the 64 hexadecimal digits of the digest begin, searched in the footer alone."""
    if len(content) < 12 or content[:4] != MAGIC or content[-4:] != MAGIC:
        raise DamagedFileError("it is not a whole Parquet file")
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    mark = content.rfind(_MARK, max(0, footer), len(content) - 8 - len(BLANK))
    if mark < 0:
        raise DamagedFileError("it carries no digest of ours")
    return mark + len(_MARK)
