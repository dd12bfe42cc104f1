"""What is wrong with a row? A stand-in of the rules, which another change brings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

KeyOf = Callable[[Mapping[str, Any], Mapping[str, int]], str | None]
"""(configuration, revisions) → the key of such a cell; None where that is not known here."""


def problem_of(row: Mapping[str, Any], key_of: KeyOf | None = None) -> str | None:  # noqa: ARG001
    """What is wrong with an attempt, in one line; None for a row that may stand."""
    return None
