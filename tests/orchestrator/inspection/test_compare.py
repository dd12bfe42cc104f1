"""Two cells, studies or stores: what is found to differ, and how it is told."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.inspection.compare import compare
from orchestrator.inspection.compare_cells import compare_cells
from orchestrator.inspection.compare_lines import store_lines, study_lines
from orchestrator.inspection.compare_stores import compare_stores
from orchestrator.inspection.compare_studies import compare_studies
from orchestrator.inspection.sides import CellSide, SideError, StoreSide, StudySide, find_side
from orchestrator.plan.expectations import sources_text
from storage.reporting.spec import TableSpec

OTHER = "a" * 64


@pytest.fixture
def lines(shelf, tmp_path: Path):
    return lambda a, b: list(compare(str(a), str(b), shelf.store, tmp_path))


@pytest.fixture
def study(shelf, tmp_path: Path):
    return lambda given: find_side(given, shelf.store, tmp_path)


def filled(shelf, name: str, numbers: dict[float, list[float]], **fields) -> None:
    """A study of CE with accuracies by noise rate and seed."""
    cells = []
    for rate, accuracies in numbers.items():
        for seed, accuracy in enumerate(accuracies):
            cell = shelf.cell(seed=seed, rate=rate, **fields)
            shelf.result(cell, accuracy)
            cells.append(("CE", cell))
    shelf.study(name, cells)


def moved_code(cell, origin: str = "plug-in") -> str:
    sources = json.loads(sources_text(cell.config, frozenset()))
    sources["loss"] |= {"sha256": OTHER, "origin": origin}
    return json.dumps(sources)


def test_what_a_word_names(shelf, tmp_path: Path) -> None:
    cell = shelf.cell()
    shelf.result(cell)
    shelf.study("abcdef0", [("CE", cell)])

    def named(given: str):
        return find_side(given, shelf.store, tmp_path)

    assert named(cell.key[:6]) == CellSide(cell.key[:6], cell.key)
    assert named(f"{cell.key[:6]}@1") == CellSide(f"{cell.key[:6]}@1", cell.key, 1)
    assert isinstance(named("abcdef0"), StudySide)
    assert isinstance(named("abcdef0@0"), StudySide)
    assert isinstance(named(str(shelf.root)), StoreSide)
    for word, reason in {
        cell.key[:5]: "no beginning of a key of 6 digits or more",
        "nothing": r"is no study of .* \(it has abcdef0\)",
        "abcdef0@7": "study abcdef0 has no version 7: it has 0",
        str(tmp_path): "no store",
    }.items():
        with pytest.raises(SideError, match=reason):
            named(word)


def test_two_kinds_are_not_compared(shelf, lines) -> None:
    cell = shelf.cell()
    shelf.result(cell)
    shelf.study("demo", [("CE", cell)])
    with pytest.raises(SideError, match=r"demo is a study and .* is a cell"):
        lines("demo", cell.key)


def test_two_cells(shelf, lines) -> None:
    left, right = shelf.cell(), shelf.cell({"name": "gce", "q": 0.25}, learning_rate=0.2)
    shelf.result(
        left, 0.5, num_threads=None, initial_weights_sha256=OTHER, noisy_label_sha256=OTHER
    )
    shelf.result(right, 0.75, initial_weights_sha256=OTHER, device="gpu", num_threads=2)
    found = compare_cells(CellSide("", left.key), CellSide("", right.key), shelf.store)
    named = {one.name: (one.before, one.after) for one in found.settings}
    assert named["loss"] == ("ce", "gce")
    assert named["loss.q"] == ("(unset)", "0.25")
    assert named["learning_rate"] == ("0.1", "0.2")
    assert found.code == ()  # another component is no changed code
    assert found.data == ()
    assert found.unknown_data == ("training data", "test data", "labels trained on")
    conditions = {one.name: (one.before, one.after) for one in found.conditions}
    assert conditions == {"device": ("cpu", "gpu"), "threads": ("not recorded", "2")}
    metrics = {one.name: (one.left, one.right, one.parts) for one in found.metrics}
    assert metrics["test_accuracy"] == (0.5, 0.75, 2)
    assert metrics["test_loss"] == (1.0, 1.0, None)
    told = lines(left.key, right.key)
    assert "  test_accuracy        0.500000  0.750000  differs from epoch 2 on" in told
    assert "  test_loss            1.000000  1.000000  equal" in told


def test_two_editions_of_a_cell(shelf, lines) -> None:
    cell = shelf.cell()
    shelf.result(cell, sources=moved_code(cell))
    shelf.result(cell, edition=1)
    told = lines(f"{cell.key}@0", f"{cell.key}@1")
    now = json.loads(sources_text(cell.config, frozenset()))["loss"]["sha256"]
    assert f"  loss ce  plug-in {OTHER[:12]}  →  built-in {now[:12]}" in told
    assert told[2] == "settings: the same"
    assert told[-1] == "numbers: the same in every epoch"
    with pytest.raises(SideError, match="has no edition 2"):
        lines(f"{cell.key}@2", cell.key)


def test_curves_of_two_lengths_part_where_the_shorter_ends(shelf) -> None:
    long, short = shelf.cell(), shelf.cell(epochs=1)
    shelf.result(long)
    curves = {"epoch": (1,), "epoch_learning_rate": (0.1,), "test_accuracy": (0.25,)}
    shelf.result(short, curves=curves)
    found = compare_cells(CellSide("", long.key), CellSide("", short.key), shelf.store)
    parts = {one.name: one.parts for one in found.metrics}
    assert parts == {"epoch_learning_rate": 2, "test_accuracy": 2, "test_loss": 1}


def test_two_studies_with_the_same_numbers(shelf, study, lines) -> None:
    filled(shelf, "one", {0: [0.5, 0.7]})
    filled(shelf, "two", {0: [0.5, 0.7]})
    found = compare_studies(study("one"), study("two"))
    assert not found.has_other_cells
    assert lines("one", "two") == [
        "A  one",
        "B  two",
        "cells: the same 2, with the same settings and code",
        "numbers in tables: the same in 1 entry",
    ]


def test_entries_that_moved_the_farthest_first(shelf, study, lines) -> None:
    """Settings that a whole study has otherwise do not part its cells from those of the other."""
    filled(shelf, "one", {0: [0.5, 0.7], 0.4: [0.3, 0.5], 0.6: [0.2]})
    filled(shelf, "two", {0: [0.6, 0.8], 0.4: [0.7, 0.9], 0.6: [0.3]}, learning_rate=0.2)
    found = compare_studies(study("one"), study("two"))
    assert (found.num_shared, found.only_left, found.only_right) == (5, (), ())
    assert [pair.column for pair in found.moved] == [("0.4",), ("0",), ("0.6",)]
    # Each SEM is 10 points, so the combined one is 10 √2.
    assert [pair.in_errors for pair in found.moved] == pytest.approx(
        [40 / 200**0.5, 10 / 200**0.5, None]
    )
    assert [pair.difference for pair in found.moved] == pytest.approx([40, 10, 10])
    told = lines("one", "two")
    assert "  learning_rate  0.1  →  0.2  5 cells" in told
    assert "numbers in tables: 3 entries moved, 0 the same" in told
    line = "  accuracy  CE   0.4     40.00 ± 10.00 (n = 2)  80.00 ± 10.00 (n = 2)  +40.00  +2.83"
    assert line in told
    assert (
        "  accuracy  CE   0.6     20.00 (n = 1)          30.00 (n = 1)          +10.00  —" in told
    )


def test_cells_entries_and_tables_of_one_side_only(shelf, study, lines) -> None:
    filled(shelf, "one", {0: [0.5, 0.7], 0.4: [0.3]})
    more = {"accuracy": TableSpec(bold="max"), "loss": TableSpec(value="test_loss")}
    cells = [("CE", shelf.cell(seed=seed, rate=rate)) for rate in (0, 0.6) for seed in (0, 1, 2)]
    shelf.study("two", cells, more)
    found = compare_studies(study("one"), study("two"))
    assert [(group.axes, group.seeds) for group in found.only_left] == [
        ({"noise.rate": "0.4"}, (0,))
    ]
    assert [(group.axes["noise.rate"], group.seeds) for group in found.only_right] == [
        ("0", (2,)),
        ("0.6", (0, 1, 2)),
    ]
    assert [pair.column for pair in found.one_sided] == [("0.4",)]
    assert (found.num_equal, found.num_empty) == (1, 1)
    told = lines("one", "two")
    assert "  only in B: 4" in told
    assert "    main, noise.rate=0.6, seeds 0, 1, 2" in told
    assert "tables only in B: loss" in told
    assert "table accuracy is declared otherwise" in told
    assert "  bold  paired  →  max" in told
    assert "numbers in tables: the same in 1 entry; no number in either: 1" in told
    assert "  accuracy  CE  0.4  A 30.00 (n = 1)  B not part of it" in told


def test_numbers_taken_in_another_way_are_not_compared(shelf, study, lines) -> None:
    filled(shelf, "one", {0: [0.5]})
    shelf.study("two", [("CE", shelf.cell())], {"accuracy": TableSpec(value="test_loss")})
    found = compare_studies(study("one"), study("two"))
    assert found.tables[0].is_incomparable
    assert not found.moved
    assert "table accuracy is declared otherwise; its numbers are not compared" in lines(
        "one", "two"
    )


def test_versions_of_a_study_are_drawn_from_their_own_results(shelf, study, lines) -> None:
    """What a plug-in was when a version was recorded decides which edition it shows."""
    cell = shelf.cell()
    shelf.result(cell, 0.5, sources=moved_code(cell))
    shelf.result(cell, 0.75, edition=1)
    shelf.study("demo", [("CE", cell)])
    record = shelf.store.study("demo")
    (planned,) = record.planned
    older = planned.__class__(**{**vars(planned), "sources": moved_code(cell)})
    shelf.study(
        "demo", [("CE", cell)], planned=(older,), recorded_at=datetime(2026, 2, 1, tzinfo=UTC)
    )
    assert [one.version for one in shelf.store.study_versions("demo")] == [0, 1]
    found = compare_studies(study("demo@1"), study("demo@0"))
    assert [pair.means for pair in found.moved] == [(50.0, 75.0)]
    assert any("code of loss ce" in line for line in lines("demo@1", "demo@0"))


def test_a_study_file_against_its_launch(shelf, tmp_path: Path, lines) -> None:
    path = tmp_path / "demo.yaml"
    path.write_text("""
study: demo
cell:
  dataset: {name: synthetic, like: fashion-mnist, images: 64}
  architecture: {name: mlp, hidden: [4]}
  learning_rate: 0.2
  epochs: 2
  batch_size: 32
losses: {CE: ce}
seeds: 2
grid: {loss: all, noise.kind: symmetric, noise.rate: [0]}
tables: {accuracy: {}}
""")
    filled(shelf, "demo", {0: [0.5, 0.7]})
    told = lines("demo", path)
    assert "  learning_rate  0.1  →  0.2  2 cells" in told
    assert "  accuracy  CE  0  A 60.00 ± 10.00 (n = 2)  B no number" in told


def test_two_stores(shelf, tmp_path: Path) -> None:
    other = shelf.__class__(tmp_path / "other")
    cells = [shelf.cell(seed=seed) for seed in range(4)]
    for cell in cells[:3]:
        shelf.result(cell, 0.5)
    for cell in cells[1:]:
        other.result(cell, 0.5 if cell is cells[1] else 0.7, device="gpu")
    shelf.study("demo", [("CE", cell) for cell in cells])
    other.study("demo", [("CE", cell) for cell in cells])
    other.study("more", [("CE", cells[0])])
    sides = [StoreSide(name, one.store) for name, one in (("here", shelf), ("there", other))]
    found = compare_stores(*sides)
    assert (found.studies_left, found.studies_right) == ((), ("more",))
    assert [one.key for one in found.only_left] == [cells[0].key]
    assert [one.key for one in found.only_right] == [cells[3].key]
    assert [one.left.key for one in found.others] == [cells[2].key]
    told = list(store_lines(found))
    assert "results: 2 cells have one in both" in told
    line = (
        f"    {cells[2].key[:12]}  ce on synthetic, noise none, seed 2: "
        "test accuracy 0.5000 → 0.7000; device cpu → gpu"
    )
    assert line in told
    assert told[told.index("") + 1 :] == list(study_lines(found.studies[0]))
    assert found.studies[0].moved[0].difference == pytest.approx(100 * (0.5 + 1.4) / 3 - 50)


def test_committed_code_that_differs_is_told_of_stores_and_studies(shelf, tmp_path: Path) -> None:
    """A revision keeps a result standing; it does not make two commits the same code."""
    other = shelf.__class__(tmp_path / "other")
    cell, unrecorded = shelf.cell(), shelf.cell(seed=1)
    shelf.result(cell, 0.5)
    other.result(cell, 0.7, sources=moved_code(cell, "built-in"))
    for one, accuracy in ((shelf, 0.5), (other, 0.6)):
        one.result(unrecorded, accuracy, sources=None)
        one.study("demo", [("CE", cell)])
    (planned,) = other.store.study("demo").planned
    moved = planned.__class__(**{**vars(planned), "sources": moved_code(cell, "built-in")})
    other.study("demo", [("CE", cell)], planned=(moved,))
    told = list(
        store_lines(compare_stores(StoreSide("a", shelf.store), StoreSide("b", other.store)))
    )
    ours = json.loads(sources_text(cell.config, frozenset()))["loss"]["sha256"]
    change = f"built-in {ours[:12]} → built-in {OTHER[:12]}"
    assert any(line.endswith(f"; code of loss ce {change}") for line in told)
    assert any(line.endswith("the same; whether the code is was not recorded") for line in told)
    assert any("code of loss ce" in line for line in told[told.index("") :])


def test_curves_that_end_alike_are_other_numbers(shelf, tmp_path: Path) -> None:
    other = shelf.__class__(tmp_path / "other")
    cell = shelf.cell()
    shelf.result(cell)
    curves = {"epoch": (1, 2), "epoch_learning_rate": (0.1, 0.1)}
    other.result(cell, curves={**curves, "test_accuracy": (0.3, 0.5), "test_loss": (2.0, 1.0)})
    found = compare_stores(StoreSide("a", shelf.store), StoreSide("b", other.store))
    assert len(found.others) == 1
    same = compare_stores(StoreSide("a", shelf.store), StoreSide("a", shelf.store))
    assert same.others == ()
    assert "  their numbers are the same in every epoch" in list(store_lines(same))


def test_the_verb(shelf, tmp_path: Path) -> None:
    filled(shelf, "one", {0: [0.5]})
    where = ["--store", str(shelf.root), "--data-root", str(tmp_path)]
    shown = CliRunner().invoke(app, ["diff", "one", "one", *where])
    assert shown.exit_code == 0
    assert "the same in 1 entry" in shown.output
    for words in (["one", "two"], ["one", str(shelf.root)], ["one", str(tmp_path / "none.yaml")]):
        wrong = CliRunner().invoke(app, ["diff", *words, *where])
        assert wrong.exit_code == 2
        assert wrong.output.count("\n") == 1


def test_names_are_compared_without_torch(shelf, tmp_path: Path) -> None:
    filled(shelf, "one", {0: [0.5]})
    script = (
        "import sys; from typer.testing import CliRunner; from orchestrator.cli import app;"
        f"shown = CliRunner().invoke(app, ['diff', 'one', 'one', '--store', {str(shelf.root)!r}]);"
        "assert shown.exit_code == 0, shown.output;"
        "print([name for name in ('torch', 'ray', 'plotly') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
