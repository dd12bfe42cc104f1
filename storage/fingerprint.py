"""Do two results of one key answer the same question? Their fingerprints say so.

A fingerprint is what moved the numbers beside the key: the resolved configuration, the code of its
components, the content of its data. What one of the two does not know makes them no different.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

BUILT_IN = "built-in"
"""Origin of committed code of this project: its revision, and so the key, speaks for it."""

DATA = ("train_data_sha256", "test_data_sha256")


def is_same_fingerprint(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two rows of one key are results of the same configuration, code and data."""
    return (
        _agree(_read(one, "config"), _read(other, "config"))
        and _is_same_code(_read(one, "sources"), _read(other, "sources"))
        and all(_agree(one.get(name), other.get(name)) for name in DATA)
    )


def _read(row: Mapping[str, Any], name: str) -> Any:
    text = row.get(name)
    return None if text is None else json.loads(text)


def _agree(one: Any, other: Any) -> bool:
    """Equal, as far as both say something; a field that only one has is newer than the other."""
    if one is None or other is None:
        return True
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return all(_agree(one[name], other[name]) for name in one.keys() & other.keys())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_agree, one, other))
    return bool(one == other)


def _is_same_code(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Whether each component that both name was made of the same source."""
    if one is None or other is None:
        return True
    return all(_is_same_source(one[name], other[name]) for name in one.keys() & other.keys())


def _is_same_source(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    is_committed = one.get("origin") == other.get("origin") == BUILT_IN
    return is_committed or _agree(one.get("sha256"), other.get("sha256"))
