"""Study text → tree: YAML 1.2, places, extends, overrides, and nothing but one-line errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from orchestrator.study.grid import expand
from orchestrator.study.model import parse_study
from orchestrator.study.text import StudyError, load_source
from trainables import components


def test_yaml_1_2_scalars(write) -> None:
    data = load_source(write("a: 1e-4\nb: on\nc: 0o10\nd: 2020-01-01\ne: 1:30\n")).data
    assert data == {"a": 1e-4, "b": "on", "c": 8, "d": "2020-01-01", "e": "1:30"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\na: 2\n", ":2:1: a: this key stands here a second time"),
        ("a: !!python/object/apply:os.system [ls]\n", "is not allowed"),
        ("a: [1\n", "expected ',' or ']'"),
        ("\ta: 1\n", "cannot start any token"),
        ("- 1\n", "a study is a mapping"),
        ("", "a study is a mapping"),
        ("? [a]\n: b\n", "a key must be text"),
        ("[" * 3000, "nested too deeply"),
        ("extends: none.yaml\n", "there is no file"),
    ],
)
def test_bad_yaml_is_one_line_with_its_place(write, text: str, words: str) -> None:
    with pytest.raises(StudyError) as caught:
        load_source(write(text))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "demo.yaml:" in str(caught.value)


def test_alias_bombs_and_large_files_are_refused(write) -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(8)
    )
    with pytest.raises(StudyError, match="too often"):
        load_source(write(bomb))
    with pytest.raises(StudyError, match="larger than"):
        load_source(write("a: " + "x" * 2_000_000))


def test_extends_merges_and_keeps_places(write) -> None:
    write("cell:\n  epochs: 3\n  loss: {name: ce}\n", "base.yaml")
    source = load_source(write("extends: base.yaml\ncell:\n  loss: {name: gce, q: 1}\n"))
    assert source.data["cell"] == {"epochs": 3, "loss": {"name": "gce", "q": 1}}
    assert source.location(("cell", "epochs"))[0].endswith("base.yaml")
    assert source.location(("cell", "loss", "q"))[1:] == (3, 21)


def test_overrides_reach_mappings_lists_and_grid_axes(write) -> None:
    path = write("cell: {epochs: 3}\nblocks: [{cell: {epochs: 1}}]\ngrid: {noise.rate: [0]}\n")
    data = load_source(
        path, ["cell.epochs=5", "blocks.0.cell.epochs=1e1", "grid.noise.rate=[0.1]", "seeds=2"]
    ).data
    assert data["cell"]["epochs"] == 5
    assert data["blocks"][0]["cell"]["epochs"] == 10.0
    assert data["grid"]["noise.rate"] == [0.1]
    assert data["seeds"] == 2


def fuzz(examples: int):
    """Settings of a test that writes to one folder again and again."""
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )


GOOD = """study: demo
cell: {dataset: fashion-mnist-small, architecture: mlp1024, learning_rate: 0.1, epochs: 2}
losses: {CE: ce, genCE: {name: gce, q: 0.7}}
seeds: 2
grid: {loss: all, noise: {kind: symmetric, rate: 0.2}}
tables: {t: {rows: loss, columns: noise.rate}}
"""


@fuzz(150)
@given(
    start=st.integers(0, len(GOOD)),
    length=st.integers(0, 12),
    inserted=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8),
)
def test_any_edit_gives_a_study_or_one_line(
    tmp_path, start: int, length: int, inserted: str
) -> None:
    path = tmp_path / "fuzz.yaml"
    path.write_text(GOOD[:start] + inserted + GOOD[start + length :], newline="")
    try:
        source = load_source(path)
        expand(parse_study(source), source, components)
    except StudyError as error:
        assert "\n" not in str(error)
        assert ".yaml:" in str(error)


@fuzz(100)
@given(content=st.binary(max_size=200))
def test_any_bytes_give_one_line(tmp_path, content: bytes) -> None:
    path = tmp_path / "fuzz.yaml"
    path.write_bytes(content)
    try:
        parse_study(load_source(path))
    except StudyError as error:
        assert "\n" not in str(error)


@fuzz(100)
@example(override="0\n=")
@given(override=st.text(max_size=20))
def test_any_override_gives_a_study_or_one_line(tmp_path, override: str) -> None:
    path = tmp_path / "fuzz.yaml"
    path.write_text(GOOD)
    try:
        source = load_source(path, [override])
        expand(parse_study(source), source, components)
    except StudyError as error:
        assert "\n" not in str(error)


def test_an_anchor_defined_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("study: twice\na: &same 1\nb: &same 2\nc: *same\n")
    with pytest.raises(StudyError, match="duplicate anchor"):
        load_source(path)
