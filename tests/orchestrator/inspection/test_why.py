"""What is told of one cell: every comparison with what it is here and now, in values and words."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.inspection.keys import KeyPrefixError, find_key
from orchestrator.inspection.present import present
from orchestrator.inspection.why import Sameness, Why, explain
from orchestrator.inspection.why_lines import why_lines
from orchestrator.plan.expectations import Expectations, sources_text
from storage.records.decisions import Decision, land_decisions
from storage.reporting.spec import TableSpec
from storage.standing.judgement import Known, Standing
from trainables.datasets.content import data_digests

BEFORE, AFTER = "a" * 64, "b" * 64


@pytest.fixture
def why(shelf, tmp_path: Path):
    def why(key: str) -> Why:
        return explain(shelf.store, key, Expectations(tmp_path, frozenset()))

    return why


@pytest.fixture
def told(why):
    return lambda key, **options: "\n".join(why_lines(why(key), **options))


def other_code(cell, field: str, sha256: str = BEFORE, origin: str = "plug-in") -> str:
    """The sources of a result whose component `field` had other code."""
    sources = json.loads(sources_text(cell.config, frozenset()))
    sources[field] |= {"sha256": sha256, "origin": origin}
    return json.dumps(sources)


def other_default(cell, parameter: str, value: float) -> dict[str, str]:
    """The configuration of a result that was made when a default had another value."""
    config = cell.config.to_dict()
    config["loss"][parameter] = value
    parameters = {name: item for name, item in config["loss"].items() if name != "name"}
    return {
        "config": json.dumps(config, sort_keys=True),
        "loss_parameters": json.dumps(parameters, sort_keys=True),
    }


def test_a_result_that_answers(shelf, why, told, tmp_path: Path) -> None:
    cell = shelf.cell(seed=3)
    digests = data_digests(cell.config.dataset, tmp_path)
    shelf.result(cell, train_data_sha256=digests.train, test_data_sha256=digests.test)
    found = why(cell.key)
    assert found.verdict.standing is Standing.DONE
    assert {one.sameness for one in found.results[0].components} == {Sameness.SAME}
    assert [one.sameness for one in found.results[0].data] == [Sameness.SAME, Sameness.SAME]
    assert found.present.stored_key == cell.key
    text = told(cell.key)
    assert "standing  done, by edition 0\n" in text
    assert "seed                 3\n" in text
    assert "batch_size           32\n" in text
    assert "momentum" not in text
    assert "optimizer.momentum" in told(cell.key, full=True)
    assert "2026-01-01 12:00:00 UTC, 30.0 s\n" in text
    assert "node, cpu, 1 thread, alone, torch 2.9\n" in text
    assert "0123456789ab, all committed\n" in text
    assert "study demo, launch launch-1\n" in text
    assert "asked for by: no recorded study" in text


def test_code_of_a_component_that_changed(shelf, why, told) -> None:
    cell = shelf.cell()
    shelf.result(cell, sources=other_code(cell, "loss"))
    found = why(cell.key)
    sameness = {one.field: one.sameness for one in found.results[0].components}
    assert sameness.pop("loss") is Sameness.CHANGED
    assert set(sameness.values()) == {Sameness.SAME}
    assert "stale: the code of loss ce has changed" in told(cell.key)
    assert f"orchestrator replay {cell.key[:12]} --store x tells" in told(cell.key, at=" --store x")


def test_committed_code_of_one_revision_and_accepted_code_answer(shelf, why, told) -> None:
    cell = shelf.cell()
    shelf.result(cell, sources=other_code(cell, "loss", origin="built-in"))
    assert why(cell.key).results[0].components[0].field == "architecture"
    sameness = {one.field: one.sameness for one in why(cell.key).results[0].components}
    assert sameness["loss"] is Sameness.OTHER_COMMIT

    plug_in = shelf.cell(seed=1)
    attempt = shelf.result(plug_in, sources=other_code(plug_in, "loss"))
    now = json.loads(sources_text(plug_in.config, frozenset()))["loss"]["sha256"]
    when = datetime(2026, 1, 2, tzinfo=UTC)
    decision = Decision("accept", plug_in.key, attempt, "equal", when, "loss ce", BEFORE, now)
    land_decisions(shelf.root, [decision])
    found = why(plug_in.key)
    assert found.verdict.standing is Standing.DONE
    sameness = {one.field: one.sameness for one in found.results[0].components}
    assert sameness["loss"] is Sameness.ACCEPTED
    line = f"2026-01-02 00:00:00 UTC  code of loss ce {BEFORE[:12]} → {now[:12]} accepted: equal"
    assert line in told(plug_in.key)


def test_a_default_that_was_another(shelf, why, told) -> None:
    cell = shelf.cell({"name": "gce"})
    shelf.result(cell, **other_default(cell, "q", 0.25))
    found = why(cell.key)
    now = cell.config.loss.get("q")
    assert found.results[0].moved[0].words == f"loss.q was 0.25, is {now}"
    explicit = shelf.cell({"name": "gce", "q": 0.25})
    assert found.present.stored_key == explicit.key != cell.key
    assert f"has the key {explicit.key[:12]} here: a default or a revision" in told(cell.key)


def test_an_old_result_whose_default_moved_is_not_judged(shelf, why, told) -> None:
    """Without an identity nobody knows which of its values were defaults."""
    cell = shelf.cell({"name": "gce"})
    shelf.result(cell, **other_default(cell, "q", 0.25), identity=None, sources=None)
    found = why(cell.key)
    assert found.verdict is None
    assert "what it would be today is not known" in told(cell.key)
    assert "cannot be compared here" in told(cell.key)
    assert "code of its components: not recorded" in told(cell.key)


def test_data_that_are_others_or_not_at_hand(shelf, why, told) -> None:
    cell = shelf.cell()
    shelf.result(cell, train_data_sha256=AFTER, test_data_sha256=None)
    states = {one.split: one.sameness for one in why(cell.key).results[0].data}
    assert states == {"training": Sameness.CHANGED, "test": Sameness.NOT_RECORDED}
    assert "the training data are not those of the result" in told(cell.key)
    assert "other data here" in told(cell.key)
    absent = shelf.cell(dataset="cifar10")
    shelf.result(absent, train_data_sha256=AFTER, test_data_sha256=AFTER)
    states = {one.split: one.sameness for one in why(absent.key).results[0].data}
    assert states == {"training": Sameness.NOT_HERE, "test": Sameness.NOT_HERE}
    assert "not at hand" in told(absent.key)


def test_editions_failures_and_decisions(shelf, why, told) -> None:
    cell = shelf.cell()
    first = shelf.result(cell)
    land_decisions(
        shelf.root,
        [Decision("redo", cell.key, first, "a bad node", datetime(2026, 1, 2, tzinfo=UTC))],
    )
    assert why(cell.key).verdict.reason == "to be run anew: a bad node"
    assert "result, edition 0: finished; to be run anew: a bad node" in told(cell.key)
    shelf.result(cell, edition=1, stack_size=8, stack_position=2, num_threads=None)
    later = datetime(2026, 1, 3, tzinfo=UTC)
    shelf.failure(cell, "out of luck", committed_at=later)
    shelf.failure(cell, "first", committed_at=later - timedelta(days=1))
    found = why(cell.key)
    assert [one.tried.edition for one in found.results] == [1, 0]
    assert [one.error_message for one in found.failures] == ["first", "out of luck"]
    text = told(cell.key)
    assert "standing  done, by edition 1" in text
    assert "result, edition 0: finished; superseded: a bad node" in text
    assert "threads not recorded, number 3 in a stack of 8" in text
    assert "2026-01-03 00:00:00 UTC  node  exception  out of luck" in text


def test_a_planned_cell_that_never_ran_and_who_asks_for_it(shelf, why, told) -> None:
    cells = [("CE", shelf.cell(rate=0.4)), ("MAE*", shelf.cell("mae", rate=0.4))]
    tables = {
        "accuracy": TableSpec(rows=("loss",), columns=("noise.rate",)),
        "others": TableSpec(rows=("loss",), columns=(), where={"loss": "CE"}),
    }
    shelf.study("demo", cells, tables)
    key = cells[1][1].key
    found = why(key)
    assert found.verdict.standing is Standing.NEW
    assert json.loads(found.present.identity)["loss"] == {"name": "mae"}
    text = told(key)
    assert "results: none" in text
    assert "failed attempts: none" in text
    assert "study demo, phase main, seed 0, loss=MAE*\n" in text
    assert text.endswith("table accuracy: row MAE*, column 0.4")


def test_a_study_that_asked_for_it_once(shelf, told) -> None:
    cell, other = shelf.cell(), shelf.cell(seed=1)
    shelf.result(cell)
    shelf.study("demo", [("CE", cell), ("CE", other)])
    shelf.study("demo", [("CE", other)], recorded_at=datetime(2026, 2, 1, tzinfo=UTC))
    text = told(cell.key)
    assert "asked for by: no study as it stands now, but formerly by\n  study demo@0, " in text
    assert "asked for by\n  study demo, phase main, seed 1\n" in told(other.key)


def test_a_kept_result_that_contradicts(shelf, told) -> None:
    cell = shelf.cell()
    shelf.result(cell, 0.5)
    assert "conflict" not in told(cell.key)
    shelf.result(cell, 0.75, attempt="another", device="gpu")
    text = told(cell.key)
    assert f"  conflict: {cell.key[:12]} differs in test_accuracy, " in text
    assert "device cpu here, gpu there" in text


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "no module named"), ("1 / 0", "ZeroDivisionError: division by zero")],
)
def test_a_plug_in_that_cannot_be_imported_is_no_traceback(
    shelf, told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text, words: str
) -> None:
    cell = shelf.cell()
    config = {**cell.config.to_dict(), "loss": {"name": "lost_plug_in.losses"}}
    form = {**json.loads(cell.identity), "loss": {"name": "lost_plug_in.losses"}}
    identity = json.dumps(form, sort_keys=True, separators=(",", ":"))
    key = hashlib.sha256(identity.encode()).hexdigest()
    stored = {"config": json.dumps(config), "identity": identity, "loss_parameters": "{}"}
    lost = dataclasses.replace(cell, identity=identity, key=key)
    shelf.failure(lost, "boom", **stored, loss="lost_plug_in.losses")
    if text:
        (tmp_path / "lost_plug_in").mkdir()
        (tmp_path / "lost_plug_in" / "losses.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
    found = told(key)
    assert "standing  not importable here: " in found
    assert words in found
    assert "lost_plug_in.losses\n" in found


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"colour": "red"}, "it has the field 'colour', which no run has today"),
        ({"architecture": None}, "it lacks the field 'architecture'"),
        ({"loss": "ce"}, "its field 'loss' does not say what is chosen"),
        ({"noise": {"rate": 0.5}}, "its field 'noise' does not say what is chosen"),
        ({"augmentation": "flip"}, "its field 'augmentation' does not say what is chosen"),
    ],
)
def test_an_unreadable_configuration_is_one_plain_sentence(shelf, changes, problem) -> None:
    config = shelf.cell().config.to_dict() | changes
    text = json.dumps({name: value for name, value in config.items() if value is not None})
    found = present("0" * 64, text, None, Known(), Expectations(shelf.root, frozenset()))
    assert found.problem == f"its configuration is none of today: {problem}"


def test_a_configuration_of_another_time(shelf, told) -> None:
    cell = shelf.cell()
    config = {**cell.config.to_dict(), "colour": "red"}
    shelf.failure(cell, "boom", config=json.dumps(config), identity=None)
    assert "standing  its configuration is none of today: " in told(cell.key)
    assert "configuration; what its defaults were is not known" in told(cell.key)
    assert "\n  colour  " in told(cell.key)


def test_the_beginning_of_a_key(shelf) -> None:
    keys = [shelf.cell(seed=seed).key for seed in range(3)]
    for seed in range(3):
        shelf.result(shelf.cell(seed=seed))
    assert find_key(shelf.store, keys[0][:20].upper()) == keys[0]
    with pytest.raises(KeyPrefixError, match=r"no cell of .* begins with zz, tried or planned"):
        find_key(shelf.store, "zz")
    with pytest.raises(KeyPrefixError, match=f"3 cells have .*: {min(keys)[:12]}, "):
        find_key(shelf.store, "")


def test_the_verb(shelf, tmp_path: Path) -> None:
    cell = shelf.cell()
    shelf.result(cell)
    where = ["--store", str(shelf.root), "--data-root", str(tmp_path)]
    shown = CliRunner().invoke(app, ["why", cell.key[:8], *where])
    assert shown.exit_code == 0
    assert f"cell {cell.key}\n" in shown.output
    unknown = CliRunner().invoke(app, ["why", "0123zz", *where])
    assert unknown.exit_code == 2
    assert unknown.output.count("\n") == 1
