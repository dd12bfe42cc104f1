"""Every built-in component, mechanism and key still gives the numbers that are pinned."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest

from tests.golden import write
from tests.golden.figures import double, exact
from tests.golden.pins import (
    Measurement,
    Pin,
    Run,
    Subject,
    compare,
    read_pins,
    write_pins,
)
from tests.golden.subjects import DECLARED, KINDS, measure, subjects
from trainables.components import REGISTRIES

SUBJECTS = subjects()

WITHOUT_EFFECT = {
    # Facts of data sets whose files are not here say nothing of how the files are cut or read.
    *((name, "train_size") for name in REGISTRIES["dataset"].names()),
    *((name, "test_size") for name in REGISTRIES["dataset"].names()),
    *((name, "broken") for name in ("clothing1m", "mars", "webvision")),
    *(("clothing1m", name) for name in ("train", "test")),
    ("parquet", "path"),
} - {
    (name, size)
    for name in ("fashion-mnist-small", "folder", "synthetic")
    for size in ("train_size", "test_size")
}
"""(component, parameter) that need not move any figure."""


@functools.cache
def pins(kind: str) -> dict[str, Pin]:
    return read_pins(kind)


@functools.cache
def measured(subject: Subject) -> Measurement:
    return measure(subject)


@pytest.mark.parametrize("subject", SUBJECTS, ids=str)
def test_numbers_are_those_that_are_pinned(subject: Subject) -> None:
    comparison = compare(measured(subject), pins(subject.kind).get(subject.name))
    assert comparison.agrees, comparison.sentence


COMPONENTS = [subject for subject in SUBJECTS if subject.kind in REGISTRIES]


@pytest.mark.parametrize("subject", COMPONENTS, ids=str)
def test_every_parameter_matters(subject: Subject) -> None:
    """A run with another value differs from the usual one, so a parameter is not just accepted."""
    runs = measured(subject).runs
    usual = {name: figure.plain for name, figure in runs["usual"].figures.items()}
    for label, run in runs.items():
        parameter = label.partition(" = ")[0]
        if label in ("usual", DECLARED) or (subject.name, parameter) in WITHOUT_EFFECT:
            continue
        changed = [name for name, figure in run.figures.items() if figure.moved(usual.get(name))]
        assert changed or run.figures.keys() != usual.keys(), f"{subject}: {label} changes nothing"


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_pinned_that_is_not_there(kind: str) -> None:
    """What is gone loses its pin by `make golden`."""
    assert set(pins(kind)) == {subject.name for subject in SUBJECTS if subject.kind == kind}


SUBJECT = Subject("loss", "made")


def measurement(value: float, revision: int = 1, **more: Any) -> Measurement:
    figures = {"value": double([1.0, value], "sample"), **more}
    runs = {DECLARED: Run({"q": 0.7}, {}), "usual": Run({"q": 0.7}, figures)}
    return Measurement(SUBJECT, {"loss": revision}, runs, "raise `revision=`.")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    assert write.update("loss", [measurement(2.0)], None, tmp_path) == []
    return tmp_path


def pinned_value(folder: Path) -> float:
    return read_pins("loss", folder)["made"]["runs"]["usual"]["figures"]["value"][1]


def test_a_moved_number_is_told_with_what_to_do(folder: Path) -> None:
    comparison = compare(measurement(2.5), read_pins("loss", folder)["made"])
    assert comparison.sentence == (
        "loss made: numbers moved (usual, value, sample 2: 2 → 2.5) at revision 1. "
        "If that is meant, raise `revision=`. If not, it is a bug."
    )


def test_rounding_is_no_move_and_rewrites_no_digit(folder: Path) -> None:
    before = (folder / "loss.json").read_bytes()
    assert write.update("loss", [measurement(2.0 + 1e-12)], None, folder) == []
    assert (folder / "loss.json").read_bytes() == before


def test_a_moved_number_is_not_written(folder: Path) -> None:
    (refused,) = write.update("loss", [measurement(2.5)], None, folder)
    assert "numbers moved" in refused.sentence
    assert pinned_value(folder) == 2.0


def test_a_raised_revision_is_asked_to_be_pinned_and_then_is(folder: Path) -> None:
    comparison = compare(measurement(2.5, revision=2), read_pins("loss", folder)["made"])
    assert "other revisions than loss 2: run `make golden`" in comparison.sentence
    assert write.update("loss", [measurement(2.5, revision=2)], None, folder) == []
    assert pinned_value(folder) == 2.5


def test_a_reason_is_kept_beside_the_numbers(folder: Path) -> None:
    assert write.update("loss", [measurement(2.5)], "a better oracle", folder) == []
    assert pinned_value(folder) == 2.5
    assert read_pins("loss", folder)["made"]["because"] == "a better oracle"


def test_a_reason_outlives_additions_and_not_a_revision(folder: Path) -> None:
    write.update("loss", [measurement(2.5)], "a better oracle", folder)
    write.update("loss", [measurement(2.5, slope=exact(3))], None, folder)
    assert read_pins("loss", folder)["made"]["because"] == "a better oracle"
    write.update("loss", [measurement(2.5, revision=2)], "no need", folder)
    assert "because" not in read_pins("loss", folder)["made"]


def test_a_moved_default_is_a_moved_number(folder: Path) -> None:
    runs = {DECLARED: Run({"q": 0.6}, {}), "usual": measurement(2.0).runs["usual"]}
    moved = Measurement(SUBJECT, {"loss": 1}, runs, "")
    assert "default of q: 0.7 → 0.6" in compare(moved, read_pins("loss", folder)["made"]).sentence


def test_what_is_new_is_added_and_leaves_the_rest(folder: Path) -> None:
    more = measurement(2.0 + 1e-12, slope=exact(3))
    comparison = compare(more, read_pins("loss", folder)["made"])
    assert comparison.sentence == "loss made: not pinned yet: usual, slope. Run `make golden`."
    assert write.update("loss", [more], None, folder) == []
    assert pinned_value(folder) == 2.0
    assert compare(more, read_pins("loss", folder)["made"]).agrees


def test_a_figure_that_is_no_longer_measured_needs_a_reason(folder: Path) -> None:
    write.update("loss", [measurement(2.0, slope=exact(3))], None, folder)
    (refused,) = write.update("loss", [measurement(2.0)], None, folder)
    assert "no longer measured: usual, slope" in refused.sentence


def test_a_new_component_without_a_golden_run_fails(folder: Path) -> None:
    assert "has no golden run yet" in compare(measurement(2.0), None).sentence


def test_lists_stand_on_one_line(tmp_path: Path) -> None:
    write_pins("loss", {"made": {"runs": {"usual": [1.0, 2.0, "[x]"]}}}, tmp_path)
    assert '"usual": [1.0, 2.0, "[x]"]' in (tmp_path / "loss.json").read_text()
