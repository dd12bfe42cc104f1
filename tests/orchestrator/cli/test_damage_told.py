"""A verb that only reads tells what is damaged and moves nothing: the next one finds the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from storage.landing import land_attempt
from storage.merging import merge
from storage.segments.compaction import compact
from tests.storage.conftest import attempt_of, failure_of

QUICKSTART = str(Path(__file__).parents[3] / "studies" / "quickstart.yaml")


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """A file of a store that has a result and a failure beside it."""
    land_attempt(tmp_path / "results", attempt_of(0))
    land_attempt(tmp_path / "results", failure_of(1))
    path = tmp_path / "results" / "attempts" / f"{'a' * 64}.parquet"
    path.write_bytes(b"garbage")
    return path


@pytest.mark.parametrize(
    "words",
    [
        ("plan", QUICKSTART),
        ("status",),
        ("sql", "select count(*) from cells"),
        ("logs", failure_of(1).key),
        ("why", attempt_of(0).key),
    ],
    ids=lambda words: words[0],
)
def test_a_reader_tells_damage_and_moves_nothing(damaged: Path, words: tuple[str, ...]) -> None:
    store = str(damaged.parents[1])
    found = CliRunner().invoke(app, [*words, "--store", store])
    assert found.exit_code == 0, found.output
    assert damaged.name in found.output
    assert damaged.exists()
    assert CliRunner().invoke(app, ["verify", "--store", store]).exit_code == 4


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "absent.yaml"),
        ("status", "absent"),
        ("report", "absent"),
        ("report", "absent.yaml"),
        ("sql", "select nothing from cells"),
        ("why", "0123456789"),
        ("diff", "absent", "nobody"),
        ("replay", "0123456789"),
        ("redo", "absent", "--all"),
    ],
    ids=" ".join,
)
def test_a_reader_that_fails_tells_damage_as_well(damaged: Path, words: tuple[str, ...]) -> None:
    found = CliRunner().invoke(app, [*words, "--store", str(damaged.parents[1])])
    assert found.exit_code == 2, found.output
    assert found.output.count("error: ") == 1
    assert found.output.count(damaged.name) == 1


def test_a_merge_tells_what_is_damaged_in_the_store_that_grows(damaged: Path) -> None:
    other = damaged.parents[2] / "other"
    land_attempt(other, attempt_of(2))
    done = merge(damaged.parents[1], [other])
    assert [one.path for one in done.damaged] == [damaged]
    assert not done.is_clean


def test_damage_says_where_the_file_is_now(damaged: Path) -> None:
    (damage,) = compact(damaged.parents[1]).damaged
    assert str(damage).startswith(f"{damaged}: it is not a whole Parquet file; set aside as ")
