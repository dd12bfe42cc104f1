"""Two results of cells, of one store → in what they differ, and from which epoch on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from orchestrator.inspection.changes import Change, changes, code_changes, recorded
from orchestrator.inspection.keys import short
from orchestrator.inspection.sides import CellSide, SideError
from storage.schema import METRICS
from storage.standing.judgement import flat
from storage.store import Store

Curve = Sequence[float | None]


@dataclass(frozen=True)
class Run:
    """One result; fields as the columns of `attempts`."""

    key: str
    attempt: str
    edition: int
    outcome: str
    config: str
    sources: str | None
    train_data_sha256: str | None
    test_data_sha256: str | None
    noisy_label_sha256: str | None
    initial_weights_sha256: str | None
    host: str
    device: str
    num_threads: int | None
    stack_size: int | None
    stack_position: int | None
    packages: str
    code_version: str
    code_dirty: bool | None

    @property
    def data(self) -> Mapping[str, Any]:
        """Digest of everything that was trained and tested on."""
        return {
            "training data": self.train_data_sha256,
            "test data": self.test_data_sha256,
            "labels trained on": self.noisy_label_sha256,
            "initial weights": self.initial_weights_sha256,
        }

    @property
    def conditions(self) -> Mapping[str, Any]:
        """How it was computed."""
        return {
            "host": self.host,
            "device": self.device,
            "threads": self.num_threads,
            "stack size": self.stack_size,
            "stack position": self.stack_position,
            "code version": self.code_version[:12],
            "uncommitted changes": self.code_dirty,
            **json.loads(self.packages),
        }


@dataclass(frozen=True)
class Metric:
    """One metric of both results.

    Args:
        left, right: at the last epoch of each.
        parts: the first epoch in which they are not equal; None if none of both has one.
    """

    name: str
    left: float | None
    right: float | None
    parts: int | None


@dataclass(frozen=True)
class CellDifference:
    """In what two results differ.

    Args:
        settings: fields of the configuration.
        code: components that both have, with the first digits of their digests.
        unknown_code: whether one of both does not record its code.
        data: digests that differ.
        unknown_data: what one of both does not record.
        metrics: all that one of both has.
    """

    left: Run
    right: Run
    settings: tuple[Change, ...]
    code: tuple[Change, ...]
    unknown_code: bool
    data: tuple[Change, ...]
    unknown_data: tuple[str, ...]
    conditions: tuple[Change, ...]
    metrics: tuple[Metric, ...]


def compare_cells(left: CellSide, right: CellSide, store: Store) -> CellDifference:
    """Raises SideError if one of the cells has no such result."""
    ours, theirs = _run(left, store), _run(right, store)
    unknown = tuple(name for name in ours.data if None in (ours.data[name], theirs.data[name]))
    return CellDifference(
        ours,
        theirs,
        tuple(changes(flat(json.loads(ours.config)), flat(json.loads(theirs.config)))),
        tuple(code_changes(ours.sources, theirs.sources)),
        ours.sources is None or theirs.sources is None,
        tuple(one for one in changes(ours.data, theirs.data) if one.name not in unknown),
        unknown,
        tuple(changes(recorded(ours.conditions), recorded(theirs.conditions))),
        tuple(_metrics(ours, theirs, store)),
    )


def _run(side: CellSide, store: Store) -> Run:
    """The result that a side names."""
    columns = ", ".join(item.name for item in fields(Run))
    if side.edition is None:
        rows = store.rows(f"select {columns} from cells where key = $1", [side.key])
        missing = "has no result that counts"
    else:
        query = f"select {columns} from attempts where key = $1 and edition = $2"
        rows = store.rows(f"{query} and outcome <> 'failed'", [side.key, side.edition])
        missing = f"has no edition {side.edition}"
    if not rows:
        raise SideError(f"cell {short(side.key)} {missing}")
    return Run(*rows[0])


def _metrics(left: Run, right: Run, store: Store) -> Iterator[Metric]:
    for name in METRICS:
        curves = store.curves([left.attempt, right.attempt], name)
        ours, theirs = curves.get(left.attempt, ()), curves.get(right.attempt, ())
        if any(value is not None for value in (*ours, *theirs)):
            yield Metric(name, _last(ours), _last(theirs), _parts(ours, theirs))


def _last(curve: Curve) -> float | None:
    return curve[-1] if curve else None


def _parts(left: Curve, right: Curve) -> int | None:
    """The first epoch with another value; the one after the end of the shorter curve counts."""
    pairs = zip(left, right, strict=False)
    # As text, so that NaN equals itself.
    unequal = (epoch for epoch, (a, b) in enumerate(pairs, start=1) if repr(a) != repr(b))
    shorter = min(len(left), len(right)) + 1
    return next(unequal, shorter if len(left) != len(right) else None)
