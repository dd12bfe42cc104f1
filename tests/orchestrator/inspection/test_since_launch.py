"""What `report NAME` and `status NAME` say of the launch that they judge by."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.inspection import since_launch
from orchestrator.inspection.asked import AskedError, AskedStudy, asked_study
from storage import Store
from storage.attempt import PlannedCell
from tests.orchestrator.bench import STUDY, Bench

GRID = STUDY + "losses: {CE: ce, MAE: mae}\ngrid: {loss: all}\nseeds: 1\n"
TABLES = "tables: {accuracy: {rows: [loss], columns: [learning_rate]}}\n"
PLUG_IN = """
import torch.nn.functional as F
from trainables.losses import LOSSES

@LOSSES.register("mine")
def mine(logits, labels):
    return F.cross_entropy(logits, labels, reduction="none")
"""


def ask(bench: Bench, given: str, *overrides: str) -> AskedStudy:
    bench.fresh()
    return asked_study(given, overrides, Store(bench.store, read_only=True), bench.folder)


def remark(bench: Bench, given: str = "tiny") -> str:
    (line,) = ask(bench, given).remarks
    assert line.startswith("judged by the launch of 2")
    return line


def test_a_study_that_is_as_it_was_launched_has_no_remark(bench: Bench) -> None:
    bench.launch(bench.write(GRID))
    assert ask(bench, "tiny").remarks == ()


def test_an_edited_file_is_told_with_the_command_that_reads_it(bench: Bench) -> None:
    path = bench.write(GRID)
    bench.launch(path, "cell.epochs=2")
    bench.write(GRID.replace("seeds: 1", "seeds: 2"))
    assert "since then the file has changed" in remark(bench)
    command = shlex.join(["orchestrator", "report", str(path), "cell.epochs=2"])
    at = f"--store {bench.store} --data-root {bench.folder}"
    assert f"`{command} {at}`" in remark(bench)


def test_a_file_that_has_gone_is_told(bench: Bench) -> None:
    path = bench.write(GRID)
    bench.launch(path)
    path.unlink()
    assert remark(bench).endswith(f"its file {path} is not here")


def test_a_file_that_is_wrong_by_now_is_told(bench: Bench) -> None:
    bench.launch(bench.write(GRID))
    bench.write("study: [")
    assert "its file cannot be read as it stands" in remark(bench)
    assert "\n" not in remark(bench)


def test_an_edited_plug_in_is_told(bench: Bench) -> None:
    plug_in = bench.write(PLUG_IN, "mine.py")
    bench.launch(bench.write(GRID.replace("mae", "mine")))
    assert ask(bench, "tiny").remarks == ()
    plug_in.write_text(PLUG_IN + "\nUNUSED = 1\n")
    assert "since then the code of loss mine has changed" in remark(bench)


@pytest.mark.parametrize(("rate", "is_told"), [(0.1, False), (0.3, True)])
def test_a_parameter_that_is_newer_than_the_launch_is_no_changed_default(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, rate: float, is_told: bool
) -> None:
    bench.launch(bench.write(GRID))
    planned = since_launch._planned

    def newer(*given: Any) -> dict[tuple[str, str | None], PlannedCell]:
        return {place: _with(cell, rate) for place, cell in planned(*given).items()}

    def _with(cell: PlannedCell, rate: float) -> PlannedCell:
        config = json.loads(cell.config or "{}")
        config |= {"learning_rate": rate, "optimizer": {**config["optimizer"], "newer": 0.0}}
        return replace(cell, config=json.dumps(config))

    monkeypatch.setattr(since_launch, "_planned", newer)
    assert any("a default has changed" in line for line in ask(bench, "tiny").remarks) == is_told
    assert bool(ask(bench, "tiny").remarks) == is_told


def test_data_that_are_not_remembered_are_not_decoded(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.launch(bench.write(GRID))

    def refuse(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("trainables.datasets.content.load_dataset", refuse)
    monkeypatch.setattr("trainables.datasets.content._remembered", lambda *_: None)
    assert "`orchestrator report " in remark(bench)


def test_changed_data_are_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from trainables.datasets.content import ContentDigests

    bench.launch(bench.write(GRID))
    others = ContentDigests("a" * 64, "b" * 64)
    monkeypatch.setattr("trainables.datasets.content._remembered", lambda *_: others)
    assert "since then the data have changed" in remark(bench)


def test_a_version_of_a_study_is_shown_as_it_was(bench: Bench) -> None:
    path = bench.write(GRID + TABLES)
    bench.launch(path)
    bench.launch(path, "seeds=2")
    newest = Store(bench.store).study_versions("tiny")[-1].version
    old, new = ask(bench, "tiny@0"), ask(bench, f"tiny@{newest}")
    assert (len(old.record.planned), len(new.record.planned)) == (2, 4)
    (words,) = old.remarks
    assert words.startswith("version 0, judged by the launch of 2")
    assert (old.page, new.page) == ("tiny@0", "tiny")
    with pytest.raises(AskedError, match="no version 77: it has 0, 1"):
        ask(bench, "tiny@77")


@pytest.mark.parametrize("verb", ["status", "report"])
def test_both_verbs_take_a_version(bench: Bench, verb: str) -> None:
    path = bench.write(GRID + TABLES)
    bench.launch(path)
    bench.launch(path, "seeds=2")
    shown = CliRunner().invoke(app, [verb, "tiny@0", "--store", str(bench.store)])
    assert shown.exit_code == 0, shown.output
    assert "version 0, judged by" in " ".join(shown.output.split())
    wrong = CliRunner().invoke(app, [verb, "tiny@9", "--store", str(bench.store)])
    assert wrong.exit_code == 2
    assert "no version 9" in wrong.output


def test_another_question_has_a_page_of_its_own(bench: Bench) -> None:
    path = bench.write(GRID + TABLES)
    bench.launch(path)

    def pages(*words: str) -> set[str]:
        given = ["report", *words, "--page", "--store", str(bench.store)]
        shown = CliRunner().invoke(app, [*given, "--data-root", str(bench.folder)])
        assert shown.exit_code == 0, shown.output
        return {line.split()[1] for line in shown.output.splitlines()}

    launched = pages("tiny")
    assert {Path(page).name for page in launched} == {"tiny.md", "tiny.html"}
    assert pages(str(path)) == launched
    others = pages(str(path), "cell.epochs=2")
    assert others.isdisjoint(launched)
    assert others.isdisjoint(pages(str(path), "cell.epochs=3"))
