"""The README cannot drift: its commands, its study, its plug-in and its column list are tried."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestrator.study.grid import expand
from orchestrator.study.model import parse_study
from orchestrator.study.text import load_source
from storage.query import schema_text
from trainables import components
from trainables.losses import build_loss

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_the_column_list_is_that_of_the_schema() -> None:
    """To renew it: paste the output of `python -m orchestrator sql --schema`."""
    listed = (ROOT / "docs" / "columns.md").read_text()
    assert listed.partition("```text\n")[2].partition("```")[0] == schema_text()


def test_the_study_example_is_a_study(tmp_path: Path) -> None:
    path = tmp_path / "example.yaml"
    path.write_text(blocks("yaml")[0])
    source = load_source(path)
    cells = expand(parse_study(source), source, components)
    assert len({cell.cell.key for cell in cells if cell.cell}) == 36


def test_the_plug_in_example_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    (code,) = (block for block in blocks("python") if "LOSSES.register" in block)
    (tmp_path / "my_loss.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    loss = build_loss({"name": "my_loss", "p": 3}, num_classes=2)
    assert loss(torch.zeros(1, 2), torch.tensor([0])).item() == pytest.approx(0.125)


def test_the_two_commands_stand_on_one_line_each() -> None:
    commands = [block.strip() for block in blocks("bash")[:2]]
    assert commands[0].endswith("&& python -m orchestrator launch studies/quickstart.yaml")
    assert commands[1] == 'pip install -e ".[dev]" && make test'
    assert all("\n" not in command for command in commands)


@pytest.mark.parametrize("link", re.findall(r"\]\((?!https?:)([^)#]+)\)", README) or ["README.md"])
def test_relative_links_lead_somewhere(link: str) -> None:
    assert (ROOT / link).exists()
