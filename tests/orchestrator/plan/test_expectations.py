"""Results answer for the code and the data of here and now: a study against edits of all kinds."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from orchestrator.plan.expectations import Expectations
from orchestrator.plan.open import open_study
from storage import Store
from storage.attempt import PlannedCell
from storage.records.decisions import Decision, land_decisions
from storage.standing.judgement import Known, Result, Standing, Verdict, changed_sources, judge
from tests.orchestrator.bench import STUDY, Bench, needs_editions
from trainables.components import REGISTRIES

LOSS = '''
"""A loss of mine."""
from dataclasses import dataclass

import torch

from trainables.losses import LOSSES


@LOSSES.register("mine")
@dataclass(frozen=True)
class Mine:
    """Its parameter."""

    p: float = 2.0

    def __call__(self, logits, labels):
        chosen = torch.log_softmax(logits, 1).gather(1, labels[:, None])[:, 0]
        return -chosen * self.p  # the formula
'''
MINE = STUDY + "losses: {mine: my_loss}\ngrid: {loss: all}\nseeds: 2\n"
EDITED = LOSS.replace("-chosen * self.p", "-chosen * (self.p + 1)")
CHANGED = "the code of loss my_loss has changed"


def test_an_edited_plug_in_no_longer_answers(bench: Bench) -> None:
    study = bench.write(MINE)
    bench.write(LOSS, "my_loss.py")
    bench.launch(study)
    assert bench.standings(study) == {"done": 2}
    bench.write(EDITED, "my_loss.py")
    assert bench.standings(study) == {"stale": 2}
    assert bench.reasons(study) == {CHANGED}
    bench.write(LOSS, "my_loss.py")
    assert bench.standings(study) == {"done": 2}


def test_comments_docstrings_and_layout_change_no_number(bench: Bench) -> None:
    study = bench.write(MINE)
    bench.write(LOSS, "my_loss.py")
    bench.launch(study)
    other = LOSS.replace("# the formula", "").replace("A loss of mine.", "Another text.")
    other = other.replace('"""Its parameter."""\n', "").replace("\n\n\n", "\n\n\n\n\n")
    bench.write(other.replace("-chosen * self.p", "-chosen  *  (self.p)"), "my_loss.py")
    assert bench.standings(study) == {"done": 2}


def test_an_edited_default_is_told_with_both_values(bench: Bench) -> None:
    study = bench.write(MINE)
    bench.write(LOSS, "my_loss.py")
    bench.launch(study)
    bench.write(LOSS.replace("p: float = 2.0", "p: float = 6.0"), "my_loss.py")
    left_out = bench.reasons(study)
    written = bench.reasons(bench.write(MINE.replace("my_loss}", "{name: my_loss, p: 6.0}}")))
    assert left_out == written == {f"loss.p was 2.0, is 6.0; {CHANGED}"}
    bench.write(LOSS, "my_loss.py")
    assert bench.standings(study) == {"new": 2}  # 6.0 is another setting again


HELPERS = {
    "absolute": ("import helper\n", "helper.py", "helper.scale()"),
    "from": ("from helper import scale\n", "helper.py", "scale()"),
    "star": ("from helper import *\n", "helper.py", "scale()"),
    "package": ("from parts.inner import scale\n", "parts/inner.py", "scale()"),
    "package's own": ("from parts import scale\n", "parts/__init__.py", "scale()"),
    "aliased": ("import parts.inner as q\n", "parts/inner.py", "q.scale()"),
}


@pytest.mark.parametrize("how", HELPERS)
@pytest.mark.parametrize("inside", [False, True])
def test_so_does_an_edited_module_that_it_imports(bench: Bench, how: str, inside: bool) -> None:
    statement, name, call = HELPERS[how]
    if inside and how == "star":
        pytest.skip("Python allows it at the top only")
    study = bench.write(MINE)
    bench.write("", "parts/__init__.py")
    helper = "def scale():\n    return 1.0\n"
    bench.write(helper, name)
    text = LOSS.replace("-chosen", f"-{call} * chosen")
    if inside:
        text = text.replace("        chosen =", f"        {statement}        chosen =")
    bench.write(text if inside else f"{statement}{text}", "my_loss.py")
    bench.launch(study)
    assert bench.standings(study) == {"done": 2}
    bench.write(helper.replace("1.0", "3.0"), name)
    assert bench.reasons(study) == {CHANGED}


@needs_editions
def test_both_versions_of_a_plug_in_keep_their_results(bench: Bench) -> None:
    study = bench.write(MINE)
    bench.write(LOSS, "my_loss.py")
    bench.launch(study)
    first = bench.plan(study).answers
    bench.write(EDITED, "my_loss.py")
    second = bench.launch(study).answers
    assert {result.edition for result in first.values()} == {0}
    assert {result.edition for result in second.values()} == {1}
    bench.write(LOSS, "my_loss.py")
    assert bench.plan(study).answers == first
    assert Store(bench.store).rows("select count(*) from attempts") == [(4,)]


@needs_editions
def test_plug_ins_of_one_name_in_two_folders_share_a_store(bench: Bench, tmp_path, monkeypatch):
    bench.write(LOSS, "my_loss.py")
    bench.launch(bench.write(MINE))
    ours = bench.plan(bench.folder / "tiny.yaml").answers
    there = replace(bench, folder=tmp_path / "there")
    study = there.write(MINE)
    there.write(EDITED, "my_loss.py")
    with monkeypatch.context() as there_first:
        there_first.syspath_prepend(there.folder)
        assert there.standings(study) == {"stale": 2}
        there.launch(study)
        assert there.standings(study) == {"done": 2}
    assert bench.plan(bench.folder / "tiny.yaml").answers == ours


BUILT_IN = {
    "dataset": ("synthetic", "like: mnist, images: 64"),
    "architecture": ("mlp", "hidden: [4]"),
    "loss": ("gce", "q: 0.5"),
    "noise": ("symmetric", "rate: 0.2"),
    "optimizer": ("sgd", "momentum: 0.5"),
    "schedule": ("step", "milestones: [1]"),
    "augmentation": ("flip", ""),
    "normalization": ("dataset", ""),
}
"""Field → a built-in component that a plug-in of that kind takes after, and its parameters."""

PART = """
from dataclasses import dataclass
from typing import Annotated, Literal
from trainables.components import REGISTRIES
from trainables.registry import Range

@REGISTRIES["{field}"].register("mine")
@dataclass(frozen=True)
class Mine(REGISTRIES["{field}"].component("{name}").target):
    def factor(self):
        return 1.0
"""


@pytest.mark.parametrize("field", REGISTRIES)
def test_a_plug_in_of_any_kind_is_judged_by_its_code(bench: Bench, field: str) -> None:
    name, parameters = BUILT_IN[field]
    written = f"{{{'kind' if field == 'noise' else 'name'}: my_part, {parameters}}}"
    cell = {
        **dict.fromkeys(["loss"], "ce"),
        field: f"[{written}]" if field == "augmentation" else written,
    }
    rest = [line for line in STUDY.splitlines() if line.split(":")[0].strip() not in cell]
    study = bench.write("\n".join([*rest, *(f"  {key}: {value}" for key, value in cell.items())]))
    code = PART.format(field=field, name=name)
    bench.write(code, "my_part.py")
    before = bench.plan(study).planned[0]
    bench.write(code.replace("1.0", "2.0"), "my_part.py")
    after = bench.plan(study).planned[0]
    assert before.key == after.key
    assert before.sources is not None and after.sources is not None
    moved = [component for component, _, _ in changed_sources(before.sources, after.sources)]
    assert moved == [f"{field} my_part"]


def test_edited_code_of_this_project_answers_for_itself_until_it_is_committed(bench: Bench) -> None:
    study = bench.write(STUDY + "losses: {CE: ce, MAE: mae}\ngrid: {loss: all}\nseeds: 1\n")
    bench.launch(study)
    edited = replace(bench, edited=frozenset({"trainables.losses.mae"}))
    # The code is that of the results, so it answers though it is not committed.
    assert edited.standings(study) == {"done": 2}


@pytest.fixture
def pictures(bench: Bench) -> Path:
    """A study of a folder of pictures."""
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            for index in range(4):
                _image(bench.folder / "mine" / split / name / f"{index}.png", index)
    data = "{name: folder, path: mine, num_classes: 2, size: 8}"
    text = STUDY.replace("{name: synthetic, like: mnist, images: 64}", data)
    return bench.write(text.replace("batch_size: 32", "batch_size: 4") + "  loss: ce\nseeds: 1\n")


def _image(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def _against(bench: Bench, study: Path, known: Known) -> tuple[PlannedCell, Verdict]:
    """The one cell of a study, and where it stands against what is known."""
    found = Expectations(bench.folder, frozenset()).planned(
        "tiny", open_study(study).expand({}), known
    )
    return found[0], judge(found[0], known)


def _with_data(cell: PlannedCell, train: str, test: str | None) -> Known:
    assert cell.key and cell.base_key and cell.config and cell.revisions
    result = Result(
        key=cell.key,
        base_key=cell.base_key,
        attempt="a",
        edition=0,
        outcome="finished",
        config=cell.config,
        revisions=cell.revisions,
        sources=cell.sources,
        train_data_sha256=train,
        test_data_sha256=test,
    )
    return Known({cell.key: (result,)})


@pytest.mark.parametrize(("split", "words"), [("train", "training"), ("test", "test")])
def test_data_are_compared_where_a_result_knows_them(
    bench: Bench, pictures: Path, split: str, words: str
) -> None:
    new, _ = _against(bench, pictures, Known())
    assert new.train_data_sha256 is None
    cell, _ = _against(bench, pictures, _with_data(new, "x", "y"))
    assert cell.train_data_sha256 and cell.test_data_sha256
    known = _with_data(cell, cell.train_data_sha256, cell.test_data_sha256)
    changed = bench.folder / "mine" / split / "cat" / "3.png"
    _image(changed, 99)
    assert _against(bench, pictures, known)[1].reason == (
        f"the {words} data are not those of the result"
    )
    _image(changed, 3)
    assert _against(bench, pictures, known)[1] == Verdict(
        Standing.DONE, result=known.results[cell.key][0]
    )


def test_what_one_side_does_not_know_is_unknown_and_told(bench: Bench, pictures: Path) -> None:
    cell, _ = _against(bench, pictures, Known())
    _, half = _against(bench, pictures, _with_data(cell, "x", None))
    assert half.standing is Standing.STALE  # of the half that is known
    here, _ = _against(bench, pictures, _with_data(cell, "x", "y"))
    _, half = _against(bench, pictures, _with_data(cell, here.train_data_sha256 or "", None))
    assert (half.standing, half.unknown) == (Standing.DONE, ("data",))
    shutil.rmtree(bench.folder / "mine")
    _, absent = _against(bench, pictures, _with_data(cell, "x", "y"))
    assert (absent.standing, absent.unknown) == (Standing.DONE, ("data",))


def test_damaged_data_are_unknown(bench: Bench, pictures: Path) -> None:
    cell, _ = _against(bench, pictures, Known())
    known = _with_data(cell, "x", "y")
    shutil.move(bench.folder / "mine/test/cat", bench.folder / "mine/test/emu")
    assert _against(bench, pictures, known)[1].unknown == ("data",)


def test_data_of_cells_without_results_are_not_read(bench: Bench, monkeypatch) -> None:
    study = bench.write(STUDY + "  loss: ce\nseeds: 1\n")
    monkeypatch.setattr("orchestrator.plan.expectations.data_digests", pytest.fail)
    assert bench.standings(study) == {"new": 1}


TWO = LOSS + LOSS[LOSS.index("@LOSSES") :].replace('"mine"', '"other"').replace("Mine", "Other")


def test_code_is_accepted_for_one_component_of_a_file_not_for_its_neighbours(bench: Bench) -> None:
    study = bench.write(
        STUDY + 'losses: {a: "my_loss:mine", b: "my_loss:other"}\ngrid: {loss: all}\nseeds: 1\n'
    )
    bench.write(TWO, "my_loss.py")
    bench.launch(study)
    bench.write(TWO.replace("* self.p", "* 3", 1), "my_loss.py")
    plan = bench.plan(study)
    assert {v.reason for _, v in plan.entries} == {
        "the code of loss my_loss:mine has changed",
        "the code of loss my_loss:other has changed",
    }
    (_, first), _ = plan.entries
    (moved,) = first.moved
    result = Store(bench.store).known.results[plan.planned[0].key][0]
    when = Store(bench.store).rows("select max(committed_at) from cells")[0][0]
    decision = Decision(
        "accept", result.key, result.attempt, "", when, moved.name, moved.before, moved.after
    )
    land_decisions(bench.store, [decision])
    standings = {
        entry.axes["loss"]: verdict.standing.value for entry, verdict in bench.plan(study).entries
    }
    assert standings == {"a": "done", "b": "stale"}


PICK = (
    STUDY
    + """
seeds: 1
losses: {mine: my_loss}
phases:
  search:
    grid: {loss: all, learning_rate: [0.1, 0.2]}
    pick: {rate: {field: learning_rate}}
  main:
    grid: {loss: all}
    cell: {learning_rate: search.rate}
"""
)


def test_a_pick_waits_while_a_result_it_compares_is_stale(bench: Bench) -> None:
    study = bench.write(PICK.replace("search.rate", "{pick: search.rate}"))
    bench.write(LOSS, "my_loss.py")
    bench.launch(study)
    assert bench.standings(study) == {"done": 3}
    bench.write(EDITED, "my_loss.py")
    planned = bench.planned(study)
    assert {w.value: n for w, n in planned.plan.counts().items()} == {"stale": 2, "pending": 1}
    assert not any(planned.picks.values())


def test_nothing_known_means_all_new(bench: Bench) -> None:
    study = bench.write(STUDY + "  loss: ce\nseeds: 3\n")
    assert bench.standings(study) == {"new": 3}
    assert Known().next_edition("x") == 0


def test_the_module_that_an_import_path_names_counts_too(bench: Bench) -> None:
    """It may change a class that another module defines."""
    study = bench.write(MINE)
    bench.write(LOSS, "inner.py")
    bench.write("from inner import Mine\n\nMine.scale = 1.0\n", "my_loss.py")
    before = bench.plan(study).planned[0].sources
    bench.write("from inner import Mine\n\nMine.scale = 2.0\n", "my_loss.py")
    after = bench.plan(study).planned[0].sources
    assert before is not None and after is not None
    assert [name for name, _, _ in changed_sources(before, after)] == ["loss my_loss"]
