"""Two stores → studies that both have, results that one lacks, and cells with other numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.inspection.asked import launched_study
from orchestrator.inspection.changes import Change, changes, code_changes, recorded
from orchestrator.inspection.compare_studies import StudyDifference, compare_studies
from orchestrator.inspection.sides import StoreSide, StudySide
from storage.schema import METRICS
from storage.standing.judgement import flat
from storage.store import Store

_COLUMNS = "key, dataset, loss, noise, seed, test_accuracy, device, num_threads, stack_size"
_RESULTS = f"select {_COLUMNS}, packages, config, sources, attempt from cells order by key"
_METRICS = ", ".join(name for name in METRICS if name != "epoch_learning_rate")
_NUMBERS = f"select attempt, bit_xor(hash(epoch, {_METRICS})) from epochs group by attempt"
"""One number for all metrics of all epochs of a result."""


@dataclass(frozen=True)
class StoredResult:
    """The result of a cell that counts, as far as two stores are compared by it.

    Args:
        words: what was trained.
        conditions: how it was computed.
        numbers: equal for equal curves.
    """

    key: str
    words: str
    test_accuracy: float | None
    conditions: Mapping[str, Any]
    config: str
    sources: str | None
    numbers: int | None


@dataclass(frozen=True)
class ResultPair:
    """One cell with other numbers in the other store.

    Args:
        changes: settings, code and conditions that differ and may be the reason.
    """

    left: StoredResult
    right: StoredResult
    changes: tuple[Change, ...]

    @property
    def difference(self) -> float | None:
        """Of test accuracy after the last epoch, right minus left."""
        left, right = self.left.test_accuracy, self.right.test_accuracy
        return None if left is None or right is None else right - left


@dataclass(frozen=True)
class StoreDifference:
    """In what two stores differ.

    Args:
        left, right: what they were called by.
        studies: of every study that both have, each store's own record.
        studies_left, studies_right: studies that only one has.
        num_shared: cells with a result in both.
        only_left, only_right: results of cells that only one has.
        others: cells with other numbers, the largest difference first.
    """

    left: str
    right: str
    studies: tuple[StudyDifference, ...]
    studies_left: tuple[str, ...]
    studies_right: tuple[str, ...]
    num_shared: int
    only_left: tuple[StoredResult, ...]
    only_right: tuple[StoredResult, ...]
    others: tuple[ResultPair, ...]


def compare_stores(left: StoreSide, right: StoreSide) -> StoreDifference:
    """Every study and every result of both."""
    names = [set(side.store.studies()) for side in (left, right)]
    ours, theirs = _results(left.store), _results(right.store)
    shared = [key for key in ours if key in theirs]
    unequal = [
        _pair(ours[key], theirs[key]) for key in shared if ours[key].numbers != theirs[key].numbers
    ]
    return StoreDifference(
        left=left.given,
        right=right.given,
        studies=tuple(
            compare_studies(_study(left, name), _study(right, name))
            for name in sorted(names[0] & names[1])
        ),
        studies_left=tuple(sorted(names[0] - names[1])),
        studies_right=tuple(sorted(names[1] - names[0])),
        num_shared=len(shared),
        only_left=tuple(ours[key] for key in ours if key not in theirs),
        only_right=tuple(theirs[key] for key in theirs if key not in ours),
        others=tuple(sorted(unequal, key=lambda pair: -abs(pair.difference or 0))),
    )


def _study(side: StoreSide, name: str) -> StudySide:
    return StudySide(f"{name} of {side.given}", launched_study(name, side.store), side.store)


def _results(store: Store) -> dict[str, StoredResult]:
    numbers = dict(store.rows(_NUMBERS))
    found = {}
    for row in store.rows(_RESULTS):
        key, dataset, loss, noise, seed, accuracy, *how, packages, config, sources, attempt = row
        words = f"{loss} on {dataset}, noise {noise}, seed {seed}"
        conditions = dict(zip(("device", "threads", "stack size"), how, strict=True))
        conditions["torch"] = json.loads(packages).get("torch")
        found[key] = StoredResult(
            key, words, accuracy, conditions, config, sources, numbers.get(attempt)
        )
    return found


def _pair(left: StoredResult, right: StoredResult) -> ResultPair:
    code = code_changes(left.sources, right.sources)
    found = (
        *changes(flat(json.loads(left.config)), flat(json.loads(right.config))),
        *(replace(one, name=f"code of {one.name}") for one in code),
        *changes(recorded(left.conditions), recorded(right.conditions)),
    )
    return ResultPair(left, right, found)
