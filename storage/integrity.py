"""Self-verifying Parquet: every file carries the SHA-256 of its own bytes.

The digest sits in the file's key-value metadata. It is taken with 64 zeros in its place, so one
atomic file holds rows and proof, and any Parquet reader can read it. Parquet itself does not notice
a flipped bit in a page; with this, every flip is seen before a row is served. Knows bytes and Arrow
tables, not what the rows mean.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

DIGEST_KEY = b"orchestrator.sha256"
BLANK = b"0" * 64
_FOOTER_BYTES = 1 << 20
"""The digest is searched from the end; metadata of our files is far smaller than this."""


class DamagedFileError(Exception):
    """A file's bytes are not what was written, or never were ours. The text says what is wrong."""


def encode(table: pa.Table) -> bytes:
    """Parquet bytes of `table` with their own digest in the metadata."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema, compression="zstd") as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({DIGEST_KEY: BLANK})
    content: bytes = sink.getvalue().to_pybytes()
    start = _digest_position(content)
    digest = hashlib.sha256(content).hexdigest().encode()
    return content[:start] + digest + content[start + len(BLANK) :]


def decode(content: bytes) -> pa.Table:
    """The table in `content`. Raises DamagedFileError unless the digest holds."""
    start = _digest_position(content)
    stated = content[start : start + len(BLANK)]
    blanked = content[:start] + BLANK + content[start + len(BLANK) :]
    if hashlib.sha256(blanked).hexdigest().encode() != stated:
        raise DamagedFileError("its content does not match its digest")
    return pq.read_table(pa.BufferReader(content))


def read(path: Path) -> pa.Table:
    """The table in a file. Raises DamagedFileError, or FileNotFoundError if it has gone."""
    return decode(path.read_bytes())


def _digest_position(content: bytes) -> int:
    """Where the 64 hexadecimal digits of the digest begin."""
    if content[:4] != b"PAR1" or content[-4:] != b"PAR1":
        raise DamagedFileError("it is not a whole Parquet file")
    key = content.rfind(DIGEST_KEY, max(0, len(content) - _FOOTER_BYTES))
    if key < 0:
        raise DamagedFileError("it carries no digest of ours")
    # Thrift's compact form: the key, then one byte of field header and one of length (64).
    start = key + len(DIGEST_KEY) + 2
    if start + len(BLANK) > len(content):
        raise DamagedFileError("its metadata is cut short")
    return start
