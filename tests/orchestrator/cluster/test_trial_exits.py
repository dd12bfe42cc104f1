"""Cells whose own code ends the process, or asks for more memory than there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cluster.trial import run_cells
from orchestrator.sweep.attempt import LaunchSettings
from storage import Store
from tests.orchestrator.cluster.test_trial import settings, task

__all__ = ["settings"]

LEAVING = """
import os
import sys

import torch
from torch.nn import functional as F

from trainables.losses import LOSSES


@LOSSES.register('leaves')
def leaves(logits, labels):
    sys.exit(3)


@LOSSES.register('leaves_at_once')
def leaves_at_once(logits, labels):
    try:
        os._exit(4)
    except Exception:
        return F.cross_entropy(logits, labels, reduction="none")


@LOSSES.register('hoards')
def hoards(logits, labels):
    torch.empty(2**47)
"""


@pytest.mark.parametrize(
    ("loss", "error_class", "words"),
    [
        ("leaves", "exception", "its code ends the process by sys.exit(3)"),
        ("leaves_at_once", "exception", "its code ends the process by os._exit(4)"),
        ("hoards", "out_of_memory", "can't allocate memory"),
    ],
)
def test_such_a_cell_fails_alone_and_is_named(
    settings: LaunchSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    loss: str,
    error_class: str,
    words: str,
) -> None:
    (tmp_path / "leaving_parts.py").write_text(LEAVING)
    monkeypatch.syspath_prepend(str(tmp_path))
    (ended,) = run_cells([task(loss=f"leaving_parts:{loss}")], settings)
    assert (ended.outcome, ended.error_class) == ("failed", error_class)
    assert words in ended.error_message
    assert f"in {loss}" in ended.error_trace
    (next_one,) = run_cells([task()], settings)
    assert next_one.outcome == "finished"
    ((landed,),) = Store(settings.store).rows("select error_message from failures")
    assert words in landed
