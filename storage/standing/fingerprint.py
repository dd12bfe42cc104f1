"""Do two results of one key answer the same question? Their fingerprints say so.

A fingerprint is what moved the numbers beside the key: the resolved configuration, the code of its
components, the content of its data. What one of the two does not know makes them no different.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from storage.standing.judgement import config_differences, source_differences

DATA = ("train_data_sha256", "test_data_sha256")


def is_same_fingerprint(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two rows of one key are results of the same configuration, code and data."""
    configs = (json.loads(row["config"]) for row in (one, other))
    moved = (
        *config_differences(*configs),
        *source_differences(one.get("sources"), other.get("sources"), frozenset()),
    )
    return not moved and all(_agree(one.get(name), other.get(name)) for name in DATA)


def _agree(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other
