"""Spot checks: which results, how a process's end is read, and what may be said of the rest."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from orchestrator.cli.launching import spot_check
from orchestrator.inspection import audit as module
from orchestrator.inspection.audit import Audit, audit, audit_lines, chosen, parse_share
from tests.orchestrator.bench import STUDY, Bench


@pytest.mark.parametrize(
    ("text", "share"), [("2%", 0.02), (" 2 % ", 0.02), ("0.02", 0.02), ("100%", 1), ("1", 1)]
)
def test_a_share(text: str, share: float) -> None:
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "x", "0", "-1%", "101%", "2", "nan", "%"])
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a share such as 2% or 0\.02"):
        parse_share(text)


def test_a_share_is_at_least_one_and_the_same_for_the_same_launch() -> None:
    names = [f"{number:03}" for number in range(200)]
    assert len(chosen(names, 0.001, "a")) == 1
    assert len(chosen(names, 0.02, "a")) == 4
    assert chosen(names, 1, "a") == names
    assert chosen(names, 0.1, "a") == chosen(reversed(names), 0.1, "a")
    assert chosen(names, 0.1, "a") != chosen(names, 0.1, "b")


def test_how_a_replay_ended_is_read_from_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    commands, shown = [], []

    def run(command: list[str], **_: object) -> SimpleNamespace:
        commands.append(command[2:])
        code = {"a": 0, "b.1": 4, "c": 2, "d": 3, "e": -9}[command[4]]
        return SimpleNamespace(returncode=code, stdout=f"{command[4]}\n", stderr="")

    monkeypatch.setattr(module.subprocess, "run", run)
    found = audit(["a", "b.1", "c", "d", "e"], Path("s"), Path("d"), shown.append)
    assert found == Audit(1, ("b.1",), ("c", "d", "e"))
    assert shown == ["a", "b.1", "c", "d", "e"]
    assert commands[1] == ["orchestrator", "replay", "b.1", "--store", "s", "--data-root", "d"]


@pytest.mark.parametrize(
    ("found", "num_results", "lines"),
    [
        (
            Audit(10, (), ()),
            500,
            [
                "audit: 10 of 10 replayed results equal to the bit",
                "  at 95 % confidence no more than 25.9% of the 500 results differ",
            ],
        ),
        (
            Audit(2, (), ()),
            2,
            [
                "audit: 2 of 2 replayed results equal to the bit",
                "  at 95 % confidence no more than 0.0% of the 2 results differ",
            ],
        ),
        (
            Audit(1, ("k",), ("u",)),
            9,
            [
                "audit: 1 of 2 replayed results equal to the bit",
                "  differs: k",
                "  not comparable here: u",
            ],
        ),
        (
            Audit(0, (), ("u",)),
            9,
            ["audit: 0 of 0 replayed results equal to the bit", "  not comparable here: u"],
        ),
    ],
)
def test_what_is_said(found: Audit, num_results: int, lines: list[str]) -> None:
    assert list(audit_lines(found, num_results)) == lines


@pytest.mark.slow
def test_a_result_replays_in_a_clean_process(bench: Bench) -> None:
    plan = bench.launch(bench.write(STUDY + "  loss: ce\nseeds: 1\n"))
    shown: list[str] = []
    root = Path(__file__).parents[3]
    keys = list(plan.answers)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(root))
        found = audit(keys, bench.store, bench.folder, shown.append)
    assert found == Audit(1, (), ()), shown
    assert subprocess.run is module.subprocess.run


def test_the_editions_that_answer_are_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [SimpleNamespace(key="k", edition=1), SimpleNamespace(key="l", edition=0)]
    replayed: list[str] = []

    def replay_all(names: list[str], *_: object) -> Audit:
        replayed.extend(names)
        return Audit(len(names), (), ())

    monkeypatch.setattr("orchestrator.inspection.redo.answers", lambda *_: found)
    monkeypatch.setattr("orchestrator.inspection.audit.audit", replay_all)
    asked = SimpleNamespace(record=SimpleNamespace(planned=(), launch="launch"))
    store = SimpleNamespace(known=None, root=Path())
    assert spot_check(1.0, asked, store, Path())  # type: ignore[arg-type]
    assert replayed == ["k.1", "l"]
