"""Every damaged byte is seen: no wrong row is ever served."""

import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage import integrity
from storage.integrity import DamagedFileError
from storage.landing import attempt_table, land_attempt
from storage.records.tables import picks_table, study_table
from storage.store import Store


def test_tables_come_back_with_types_and_metadata(attempt, study, pick):
    for table in (attempt_table(attempt(0)), study_table(study), picks_table([pick])):
        back = integrity.decode(integrity.encode(table))
        assert back.equals(table)
        assert table.schema.metadata.items() <= back.schema.metadata.items()


def test_any_parquet_reader_reads_it(attempt):
    table = attempt_table(attempt(0))
    assert pq.read_table(pa.BufferReader(integrity.encode(table))).equals(table)


def test_some_columns(attempt):
    content = integrity.encode(attempt_table(attempt(0)))
    assert integrity.decode(content, ["seed", "no such column"]).column_names == ["seed"]


def test_a_study_that_quotes_the_digest_key_is_sound(study):
    table = study_table(study)
    assert integrity.decode(integrity.encode(table)).equals(table)


@pytest.mark.parametrize(
    "content",
    [b"", b"PAR1", b"PAR1PAR1PAR1", b"key,loss\n1,2\n" * 9, b"PAR1" + b"\xff" * 90 + b"PAR1"],
)
def test_foreign_bytes_are_refused(content):
    with pytest.raises(DamagedFileError):
        integrity.decode(content)


def test_a_parquet_file_without_our_digest_is_refused(tmp_path):
    pq.write_table(pa.table({"x": [1]}), tmp_path / "x.parquet")
    with pytest.raises(DamagedFileError, match="no digest of ours"):
        integrity.read(tmp_path / "x.parquet")


def test_every_flip_and_every_truncation_is_seen(attempt):
    content = integrity.encode(attempt_table(attempt(0)))
    draw = random.Random(0)
    flips = [(draw.randrange(len(content)), 1 << draw.randrange(8)) for _ in range(2000)]
    for position, bit in flips:
        damaged = bytearray(content)
        damaged[position] ^= bit
        with pytest.raises(DamagedFileError):
            integrity.decode(bytes(damaged))
    for length in range(0, len(content), 97):
        with pytest.raises(DamagedFileError):
            integrity.decode(content[:length])


def test_a_store_serves_no_row_of_a_damaged_file(root, attempt):
    sound = attempt(0)
    land_attempt(root, sound)
    path = land_attempt(root, attempt(1)).path
    content = path.read_bytes()
    draw = random.Random(1)
    num_cases = 10
    for _ in range(num_cases):
        damaged = bytearray(content)
        damaged[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        store = Store(root)
        assert store.sql("select key from cells").fetchall() == [(sound.key,)]
        assert [one.path for one in store.damaged] == [path]
        assert not path.exists()
    assert len(list((root / "quarantine").iterdir())) == num_cases
