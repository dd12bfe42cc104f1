"""What reaches a terminal commands nothing and floods nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from orchestrator.progress.plain_text import Harmless, harmless, one_line
from orchestrator.study.text import StudyError, load_source

EVIL = "a\x1b[31m\x07\u202eb\x9b\udc80"


def test_commands_are_replaced_and_lines_stay() -> None:
    assert harmless(EVIL + "\tc\nd é ε") == "a�[31m��b��\tc\nd é ε"


def test_a_flood_is_one_line_that_says_where_the_rest_is() -> None:
    line = one_line("x\n" * 100_000, "orchestrator logs")
    assert len(line) < 1100
    assert line.endswith("(199,999 characters, see: orchestrator logs)")


def test_rich_draws_harmless_text() -> None:
    console = Console(width=80)
    with console.capture() as shown:
        console.print(Harmless(Text(EVIL[:-1])))
    assert "\x1b[31m" not in shown.get()


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_study_is_a_file(tmp_path, kind) -> None:
    path = Path("/dev/zero") if kind == "device" else tmp_path / "pipe.yaml"
    if kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(StudyError, match="it is no file"):
        load_source(path)


def test_a_name_that_is_a_mapping_is_one_line(cells) -> None:
    with pytest.raises(StudyError, match="'architecture' needs 'name'"):
        cells("grid: {loss: CE}", "cell.architecture={name: {name: mlp}}")
