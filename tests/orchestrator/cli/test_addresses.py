"""An address where a path belongs is one line and exit code 2, whatever the verb and the option."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app

STUDY = str(Path(__file__).parents[3] / "studies" / "quickstart.yaml")


@pytest.mark.parametrize("address", ["s3://bucket/x", "file:///tmp/x", "gs://bucket/x.yaml"])
@pytest.mark.parametrize(
    "words",
    [
        ("plan", STUDY, "--data-root"),
        ("plan", STUDY, "--store"),
        ("plan",),
        ("launch",),
        ("launch", STUDY, "--json-events"),
        ("launch", STUDY, "--working-dir"),
        ("report",),
        ("report", STUDY, "--figures"),
        ("status",),
        ("status", "--store"),
        ("sql", "select 1", "--parquet"),
        ("redo", "--all"),
        ("diff", "study"),
        ("why", "0123456789", "--store"),
        ("verify", "--store"),
        ("merge",),
        ("export",),
        ("data", "list", "--data-root"),
    ],
    ids=lambda words: " ".join(Path(word).name for word in words),
)
def test_an_address_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], address: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results" / "attempts").mkdir(parents=True)
    found = CliRunner().invoke(app, [*words, address])
    assert found.exit_code == 2, found.output
    assert found.output.startswith(f"error: {address}: ") or "Usage" in found.output
    assert found.output.count("\n") == 1


def test_an_address_in_the_environment_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORCHESTRATOR_DATA", "s3://bucket/x")
    found = CliRunner().invoke(app, ["plan", STUDY])
    assert found.exit_code == 2
    assert found.output == "error: s3://bucket/x: a path of this machine is needed, no address\n"
