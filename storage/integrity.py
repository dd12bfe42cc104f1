"""Self-verifying Parquet: every file carries the SHA-256 of its own bytes.

The digest sits in the file's key-value metadata. It is taken with 64 zeros in its place, so one
atomic file holds rows and proof, and any Parquet reader can read it. Parquet itself does not notice
a flipped bit in a page; with this, every flip is seen before a row is served. A file may be written
in groups of rows, each with a digest of its own: who keeps a copy of its footer can then serve the
groups that are sound out of a file that is not. Knows bytes and Arrow tables, not what rows mean.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
from pyarrow.parquet import ParquetFile, ParquetWriter

DIGEST_KEY = b"orchestrator.sha256"
BLANK = b"0" * 64
GROUPS_KEY = b"orchestrator.row_groups"
"""Metadata of a file in groups: [where the group ends, SHA-256 of its bytes] of each, as JSON."""

MAGIC = b"PAR1"
_MARK = DIGEST_KEY + b"\x18\x40"
"""The key as Thrift's compact form writes it: then one byte of field header, one of length (64).

Control bytes do not occur in JSON or base64, so no other entry of the metadata can look like it.
"""


class DamagedFileError(Exception):
    """A file's bytes are not what was written, or never were ours. The text says what is wrong."""


@dataclass(frozen=True)
class Salvage:
    """What is sound of a damaged file.

    Args:
        table: rows of the sound groups, in order.
        num_rows: rows that the file had.
    """

    table: pa.Table
    num_rows: int


def encode(table: pa.Table, group_rows: int | None = None) -> bytes:
    """Parquet bytes of `table`, its schema metadata included, with their own digest.

    Args:
        group_rows: rows a group, each with its digest; None for one group without.
    """
    content = _parquet_bytes(table, group_rows)
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
    return decode(read_bytes(path), columns)


def open_file(path: Path) -> BinaryIO:
    """A file opened for reading.

    Raises DamagedFileError for what is no file: a pipe there would never end, a folder never begin.
    """
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):
            raise DamagedFileError("it is no regular file") from None
        raise
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise DamagedFileError("it is no regular file")
    return os.fdopen(number, "rb")


def read_bytes(path: Path) -> bytes:
    """The content of a file. Raises as `open_file` does."""
    with open_file(path) as file:
        return file.read()


def footer(content: bytes) -> bytes:
    """The part of a sound file that says where its rows lie; `salvage` needs it."""
    return content[_footer_start(content) : -8]


def salvage(content: bytes, footer: bytes) -> Salvage:
    """The groups of a damaged file whose digests hold.

    Args:
        footer: of the file as it was written, from a place that is sound.

    Raises DamagedFileError if the file was not written in groups.
    """
    try:
        groups = json.loads(_open(_whole(b"", footer)).metadata.metadata[GROUPS_KEY])
    except KeyError:
        raise DamagedFileError("it was not written in groups of rows") from None
    ends = [end for end, _ in groups]
    starts = [len(MAGIC), *ends]
    # What a truncation took is blank: the digests of those groups cannot hold.
    pages = content[: starts[-1]].ljust(starts[-1], b"\0")
    sound = [
        index
        for index, (end, digest) in enumerate(groups)
        if hashlib.sha256(pages[starts[index] : end]).hexdigest() == digest
    ]
    file = _open(_whole(pages, footer))
    return Salvage(file.read_row_groups(sound), file.metadata.num_rows)


def stated_digest(content: bytes) -> str:
    """The digest that a file states of itself, which names segments."""
    start = _digest_position(content)
    return content[start : start + len(BLANK)].decode("ascii", "replace")


def _parquet_bytes(table: pa.Table, group_rows: int | None) -> bytes:
    """Parquet with a blank digest. Nobody prunes by statistics; single rows repeat no value."""
    sink = io.BytesIO()
    metadata = {**(table.schema.metadata or {}), DIGEST_KEY: BLANK}
    with ParquetWriter(
        sink,
        table.schema,
        compression="zstd",
        use_dictionary=table.num_rows > 1,
        write_statistics=False,
        store_schema=False,
    ) as writer:
        if group_rows is None:
            writer.write_table(table)
        else:
            metadata[GROUPS_KEY] = _write_groups(writer, sink, table, group_rows)
        writer.add_key_value_metadata(metadata)
    return sink.getvalue()


def _write_groups(
    writer: ParquetWriter, sink: io.BytesIO, table: pa.Table, group_rows: int
) -> bytes:
    """Write `table` group by group. Returns where each ends and its digest, as JSON."""
    groups = []
    end = len(MAGIC)
    for first in range(0, len(table), group_rows):
        start = end
        writer.write_table(table.slice(first, group_rows), row_group_size=group_rows)
        end = sink.tell()
        with sink.getbuffer() as written:
            groups.append([end, hashlib.sha256(written[start:end]).hexdigest()])
    return json.dumps(groups).encode()


def _parse(content: bytes, columns: Sequence[str] | None) -> pa.Table:
    file = _open(content)
    present = set(file.schema_arrow.names)
    wanted = None if columns is None else [name for name in columns if name in present]
    try:
        return file.read(columns=wanted)
    except (pa.ArrowException, OSError) as error:
        raise DamagedFileError(f"it cannot be parsed: {error}") from error


def _open(content: bytes) -> ParquetFile:
    try:
        return ParquetFile(pa.BufferReader(content))
    except (pa.ArrowException, OSError) as error:
        raise DamagedFileError(f"it cannot be parsed: {error}") from error


def _whole(pages: bytes, footer: bytes) -> bytes:
    """A Parquet file of these pages and this footer."""
    return pages + footer + len(footer).to_bytes(4, "little") + MAGIC


def _digest(content: bytes, start: int) -> bytes:
    """SHA-256 of the bytes with the digest at `start` blanked, as 64 hexadecimal digits."""
    view = memoryview(content)
    digest = hashlib.sha256(view[:start])
    digest.update(BLANK)
    digest.update(view[start + len(BLANK) :])
    return digest.hexdigest().encode()


def _digest_position(content: bytes) -> int:
    """Where the 64 hexadecimal digits of the digest begin, searched in the footer alone."""
    mark = content.rfind(_MARK, _footer_start(content), len(content) - 8 - len(BLANK))
    if mark < 0:
        raise DamagedFileError("it carries no digest of ours")
    return mark + len(_MARK)


def _footer_start(content: bytes) -> int:
    if len(content) < 12 or content[:4] != MAGIC or content[-4:] != MAGIC:
        raise DamagedFileError("it is not a whole Parquet file")
    return max(0, len(content) - 8 - int.from_bytes(content[-8:-4], "little"))
