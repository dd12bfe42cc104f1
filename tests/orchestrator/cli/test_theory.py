"""The verbs that train nothing: calibrate, check-loss, theory."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from orchestrator.cli import app
from orchestrator.cli.theory_text import check_lines, columns, component_name, described
from orchestrator.figures.error_panels import DRAWN
from trainables.config import Choice

SOUND = """
from trainables.losses import LOSSES

@LOSSES.register("sound")
def sound(logits, labels, *, p: float = 2.0):
    return (1 - logits.softmax(1).gather(1, labels[:, None]).squeeze(1)) ** p
"""

BROKEN = """
from trainables.losses import LOSSES

@LOSSES.register("broken")
def broken(logits, labels):
    return -logits.softmax(1).gather(1, labels[:, None]).squeeze(1).log()
"""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_calibrate_prints_the_published_parameter() -> None:
    result = run("calibrate", "--loss", "gce", "--from-classes", "100", "--to-classes", "1000")
    assert result.exit_code == 0
    assert result.output.startswith("q = 0.482\n")
    assert "gce(q=0.482)  1000     -0.028" in result.output


def test_calibrate_writes_a_figure(tmp_path: Path) -> None:
    page = tmp_path / "gce.html"
    classes = ("--from-classes", "10", "--to-classes", "100")
    assert run("calibrate", "--loss", "gce", *classes, "--plot", str(page)).exit_code == 0
    text = page.read_text(encoding="utf-8")
    assert "q = 0.379" in text
    assert text.count('data-figure="') == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--loss", "agce"), "2 numeric parameters (a, q)"),
        (("--loss", "gcee"), "unknown loss 'gcee'"),
        (("--loss", "gce", "--parameter", "p"), "no numeric parameter 'p'"),
        (("--loss", "gce", "--set", "q"), "name=value"),
    ],
)
def test_calibrate_refuses_in_one_line(arguments: Sequence[str], words: str) -> None:
    result = run("calibrate", *arguments, "--from-classes", "10", "--to-classes", "100")
    assert result.exit_code == 2
    assert words in result.output
    assert len(result.output.splitlines()) == 1


def test_check_loss_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "my_sound_loss.py"
    file.write_text(SOUND)
    result = run("check-loss", str(file), "--set", "p=3")
    assert result.exit_code == 0, result.output
    assert "my_sound_loss(p=3.0)" in result.output
    assert "FAILED" not in result.output
    assert "mae" in result.output


def test_a_loss_is_not_compared_with_itself() -> None:
    lines = [line.split("  ")[0] for line in check_lines(Choice("mae"), [])]
    assert (lines.count("mae"), lines.count("ce")) == (2, 1)  # its heading, and one row


def test_check_loss_of_a_loss_that_overflows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "my_broken_loss.py"
    file.write_text(BROKEN)
    result = run("check-loss", f"{file}:broken")
    assert result.exit_code == 2
    assert "FAILED" in result.output


CHANGING = """
import torch
from trainables.losses import LOSSES

torch.set_flush_denormal(True)

@LOSSES.register("changing")
def changing(logits, labels):
    return torch.nn.functional.cross_entropy(logits, labels, reduction="none")
"""

WIDE = """
import math
from torch import nn
from trainables.architectures import ARCHITECTURES

@ARCHITECTURES.register("wide")
def wide(shape, num_classes, generator, *, width: int = 4):
    layers = nn.Linear(math.prod(shape), width), nn.ReLU(), nn.Linear(width, num_classes)
    for layer in (layers[0], layers[2]):
        nn.init.xavier_uniform_(layer.weight, generator=generator)
    return nn.Sequential(nn.Flatten(), *layers)
"""


def test_check_loss_sees_what_an_import_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "my_changing_loss.py"
    file.write_text(CHANGING)
    result = run("check-loss", str(file))
    assert result.exit_code == 2
    assert "changes flushing of denormal numbers from False to True" in result.output


def test_check_architecture_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "my_wide_network.py"
    file.write_text(WIDE)
    result = run("check-architecture", str(file), "--set", "width=6")
    assert result.exit_code == 2
    assert "my_wide_network(width=6)" in result.output
    (failed,) = [line for line in result.output.splitlines() if "FAILED" in line]
    assert failed.startswith("Initial weights") and "global random numbers are used" in failed
    assert run("check-architecture", "mlp", "--set", "hidden=[8]").exit_code == 0


def test_theory_shows_the_sources_numbers() -> None:
    result = run("theory", "--classes", "10")
    assert result.exit_code == 0
    assert "354.113     354.113" in result.output
    assert "10       0.525" in result.output


def test_names_and_columns() -> None:
    assert component_name("package.module:loss") == "package.module:loss"
    assert described(Choice.of("gce", q=0.7, logit_bias=0.0, logit_bias_epochs=11)) == "gce(q=0.7)"
    assert list(columns(("a", "b"), [("long", "1")])) == ["a     b", "────  ─", "long  1"]


def test_theory_draws_a_panel_for_each_class_count(tmp_path: Path) -> None:
    numbers = tmp_path / "theory.csv"
    assert run("theory", "--classes", "10", "--plot", str(numbers)).exit_code == 0
    rows = list(csv.DictReader(numbers.read_text(encoding="utf-8").splitlines()))
    shown = {(row["panel"], row["series"]) for row in rows if row["kind"] == "line"}
    assert {name for panel, name in shown if panel == "K = 10"} == set(DRAWN)
    assert ("logit bias ε(K)", "ε(K)") in shown


def test_check_loss_draws_one_loss_beside_two_others(tmp_path: Path) -> None:
    numbers = tmp_path / "gce.csv"
    assert run("check-loss", "gce", "--plot", str(numbers)).exit_code == 0
    rows = list(csv.DictReader(numbers.read_text(encoding="utf-8").splitlines()))
    lines = {(row["panel"], row["series"]) for row in rows if row["kind"] == "line"}
    assert lines == {(k, n) for k in ("K = 10", "K = 1,000") for n in ("gce", "CE", "MAE")}


@pytest.mark.parametrize("name", ["plot.txt", "plot"])
def test_a_plot_of_no_known_form_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    result = run("check-loss", "gce", "--plot", str(tmp_path / name))
    assert result.exit_code == 2
    assert "html, png, svg, pdf, csv" in result.output.splitlines()[-1]
