"""How results were made: read from rows, counted, and told apart within an entry."""

from __future__ import annotations

import json
from pathlib import Path

from storage.reporting.conditions import Conditions, MadeBy, mixed, read_conditions, tally
from storage.reporting.render import RENDERERS
from storage.reporting.report import build_report
from storage.reporting.spec import TableSpec

PLUG_IN = json.dumps({"loss": {"name": "mine", "origin": "plug-in", "sha256": "ab" * 32}})


def made(**changes):
    row = {"code": "c" * 40, "dirty": False, "device": "cpu", "packages": '{"torch": "2.14"}'}
    row |= {"threads": 1, "stack": 1, "sources": PLUG_IN, **changes}
    return tuple(row.values())


def test_rows_are_read_in_words() -> None:
    found = read_conditions([("a", *made()), ("b", *made(dirty=True, threads=None, stack=3))])
    assert found["a"] == Conditions(
        "c" * 12, "cpu", "2.14", "1", "alone", ("loss mine (plug-in, abababababab)",)
    )
    assert found["b"].code == "c" * 12 + ", uncommitted changes"
    assert (found["b"].threads, found["b"].stacking) == ("unknown", "in a stack")


def test_edited_code_of_the_project_is_no_plug_in() -> None:
    edited = {"name": "engine", "origin": "edited", "sha256": "cd" * 32}
    found = read_conditions([("a", *made(sources=json.dumps({"engine": edited})))])
    (own,) = (one for one in tally(found.values()) if one.aspect == "plug_ins")
    assert (own.word, own.value) == ("own code", "engine (edited, cdcdcdcdcdcd)")


def test_what_runs_differ_in_is_named() -> None:
    one, same = (read_conditions([("a", *made())])["a"] for _ in range(2))
    other = read_conditions([("b", *made(device="H100", threads=2))])["b"]
    assert mixed([one, same]) == ()
    assert mixed([one, other]) == ("devices", "numbers of threads")


def test_ways_are_counted_the_most_frequent_first() -> None:
    runs = read_conditions([(str(n), *made(device="cpu" if n else "H100")) for n in range(3)])
    devices = [one for one in tally(runs.values()) if one.aspect == "device"]
    assert devices == [MadeBy("device", "cpu", 2), MadeBy("device", "H100", 1)]


def test_mixed_and_contradicted_entries_are_marked_in_every_format(sweep, tmp_path: Path) -> None:
    sweep.tables = {"accuracy": TableSpec()}
    first, second = sweep.run("CE", "0", [0.8, 0.9])
    sweep.made = {first: made(), second: made(device="H100")}
    sweep.conflicting = {second}
    report = build_report(sweep, "sweep", tmp_path)
    (entry,) = report.tables[0].entries.values()
    assert (entry.mixed, entry.num_conflicting) == (("devices",), 1)
    for name, render in RENDERERS.items():
        assert "H100" in str(render(report)), name
    assert "≠1 ‡" in RENDERERS["markdown"](report)
