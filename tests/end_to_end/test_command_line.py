"""Verbs, help and errors: quick, without Ray."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app

VERBS = sorted(command.name or command.callback.__name__ for command in app.registered_commands)
README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ORCHESTRATOR_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("COLUMNS", "200")
    runner = CliRunner()
    return lambda *arguments: runner.invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_an_example_and_the_readme_names_the_verb(run, verb: str) -> None:
    shown = run(verb, "--help")
    assert shown.exit_code == 0
    assert f"Example: orchestrator {verb}" in " ".join(shown.output.split())
    assert f"orchestrator {verb}" in README.read_text()


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (
            ("epochs: 3", "epoch: 3"),
            "cell.epoch: a cell has no field 'epoch' (did you mean epochs?)",
        ),
        (("name: mae", "name: mea"), "unknown loss 'mea'"),
        (("loss: all", "loss: [CE, MEA]"), "grid.loss[1]: no loss 'MEA' under 'losses'"),
        (("seeds: 2", "sed: 2"), "sed: unknown key (did you mean seeds?)"),
        (("noise.rate: [0, 0.4]", "noise.rate: [0, 1.4]"), "'rate' must lie in [0, 1], not 1.4"),
        (("rows: loss", "rows: losss"), "no cell has a field 'losss' (did you mean loss?)"),
        (("study: tiny", "study: Tiny!"), "study: must be lower-case letters"),
        (("learning_rate: 0.05", "learning_rate: fast"), "must be a number, not 'fast'"),
        (("synthetic, like", "syntetic, like"), "did you mean synthetic?"),
    ],
)
def test_bad_studies_give_one_line_and_exit_2(run, study: Path, edit, words: str) -> None:
    text = study.read_text()
    assert edit[0] in text
    study.write_text(text.replace(*edit))
    ended = run("plan", study)
    assert ended.exit_code == 2
    assert words in ended.output
    assert ended.output.count("\n") == 1
    assert str(study) in ended.output


@pytest.mark.parametrize("override", ["nonsense", "=1", "nope.x.y=[", "seeds=[1, 1]", "grid=3"])
def test_bad_overrides_give_one_line_and_exit_2(run, study: Path, override: str) -> None:
    ended = run("plan", study, override)
    assert ended.exit_code == 2, ended.output
    assert ended.output.count("\n") == 1


def test_missing_study_and_unknown_names(run, tmp_path: Path) -> None:
    assert run("plan", tmp_path / "none.yaml").exit_code == 2
    (tmp_path / "store" / "studies").mkdir(parents=True)
    assert "no study 'quick'" in run("report", "quick").output
    assert run("status", "quick").exit_code == 2
    assert run("status").exit_code == 0


READERS = [
    ("verify",),
    ("sql", "select 1"),
    ("status",),
    ("report", "quick"),
    ("compact",),
    ("export", "bundle"),
    ("logs", "3f2a"),
]


@pytest.mark.parametrize("command", [*READERS, ("merge", "other"), ("plan", "study.yaml")])
@pytest.mark.parametrize("place", ["s3://bucket/x", "S3://bucket", "r2:/b", "file", "file/below"])
def test_what_cannot_be_a_store_gives_one_line_and_exit_2(
    run, command, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    ended = run(*command, "--store", place)
    assert ended.exit_code == 2
    assert ended.output.startswith("error: ")
    assert ended.output.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("command", READERS)
def test_a_store_that_is_not_there_is_said_to_be_missing(
    run, command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for place, words in (("none", "there is no store here"), (".", "a folder but no store")):
        ended = run(*command, "--store", place)
        assert (ended.exit_code, ended.output.count("\n")) == (2, 1)
        assert words in ended.output


def test_a_plan_needs_no_store_and_the_list_of_columns_neither(run, study: Path) -> None:
    assert run("plan", study).exit_code == 0
    assert run("sql", "--schema").exit_code == 0


def test_sql_is_read_only(run, tmp_path: Path) -> None:
    (tmp_path / "store" / "studies").mkdir(parents=True)
    assert run("sql", "select 41 + 1 as answer", "--csv").output.split() == ["answer", "42"]
    for hostile in (
        "drop view cells",
        "copy (select 1) to 'x.csv'",
        "select * from read_text('/etc/passwd')",
    ):
        ended = run("sql", hostile)
        assert ended.exit_code == 2
        assert ended.output.startswith("error: ")
    assert "did you mean" in run("sql", "select test_acuracy from cells").output
    assert "realized_noise_rate" in run("sql", "--schema").output


def test_starting_sql_loads_neither_torch_nor_ray() -> None:
    import subprocess
    import sys

    script = (
        "import sys; from typer.testing import CliRunner; from orchestrator.cli import app;"
        "CliRunner().invoke(app, ['sql', 'select 1']); CliRunner().invoke(app, ['status']);"
        "print([name for name in ('torch', 'ray', 'plotly', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
