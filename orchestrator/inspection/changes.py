"""In what two sets of named values differ."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.inspection.keys import short

UNSET = "(unset)"
"""Stands for a value that one side does not have."""


NOT_RECORDED = "not recorded"


@dataclass(frozen=True)
class Change:
    """One name with its two values, in words."""

    name: str
    before: str
    after: str


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    """Names whose values differ, in order; a name that one side lacks counts."""
    for name in sorted(before.keys() | after.keys()):
        left, right = (_text(side[name]) if name in side else UNSET for side in (before, after))
        if left != right:
            yield Change(name, left, right)


def code_changes(before: str | None, after: str | None) -> Iterator[Change]:
    """Components of one name whose code differs, committed or not; none if one side is unknown.

    Args:
        before, after: `sources` of two results or planned cells.
    """
    left, right = json.loads(before or "{}"), json.loads(after or "{}")
    for field in sorted(left.keys() & right.keys()):
        old, new = left[field], right[field]
        if old["name"] == new["name"] and old["sha256"] != new["sha256"]:
            words = [f"{one['origin']} {short(one['sha256'])}" for one in (old, new)]
            yield Change(field if field == new["name"] else f"{field} {new['name']}", *words)


def recorded(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts of a result; one that it does not know says so."""
    return {name: NOT_RECORDED if fact is None else fact for name, fact in facts.items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
