"""A quick form of `fuzz_studies.py`."""

from __future__ import annotations

from tests.faults.fuzz_studies import fuzz_files, fuzz_overrides


def test_broken_studies_are_refused_in_one_line_or_planned() -> None:
    ended, wrong = fuzz_files(120, seed=1)
    assert wrong == []
    assert ended["refused"] > 60


def test_broken_overrides_are_refused_in_one_line_or_planned() -> None:
    ended, wrong = fuzz_overrides(200, seed=1)
    assert wrong == []
    assert ended["refused"] > 100
