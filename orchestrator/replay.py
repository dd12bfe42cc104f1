"""A result trained again, and compared bit by bit: does the code of today give the numbers of then?

The configuration is that of the result, whatever defaults say now; threads and device are those of
the result as far as this machine has them. Equal numbers make the code of today stand for the code
of the result, so that its other results answer again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrator.expectations import sources_text
from storage.decisions import Decision
from storage.schema import METRICS
from storage.standing import BUILT_IN
from storage.store import Store
from trainables.config import EpochRecord, TrainingConfig

ON_CPU = "cpu"
FACTS = (
    "key, attempt, edition, config, sources, device, num_threads, stack_size, packages, "
    "train_data_sha256, test_data_sha256"
)


class ReplayError(Exception):
    """A result cannot be replayed here; the text says why."""


@dataclass(frozen=True)
class Original:
    """The result that is replayed; fields as the columns of `cells`."""

    key: str
    attempt: str
    edition: int
    config: str
    sources: str | None
    device: str
    num_threads: int | None
    stack_size: int | None
    packages: str
    train_data_sha256: str | None
    test_data_sha256: str | None

    @property
    def was_stacked(self) -> bool:
        """Whether it was trained in a stack, whose products round otherwise."""
        return (self.stack_size or 1) > 1


@dataclass(frozen=True)
class Difference:
    """The first epoch in which a metric is not what it was, and the largest difference of all."""

    metric: str
    epoch: int
    then: float | None
    now: float | None
    largest: float | None


@dataclass(frozen=True)
class Replay:
    """What a replay found.

    Args:
        original: the result.
        num_epochs: epochs that were trained again.
        differences: of each metric that differs; none if all are equal to the bit.
        sources: code of the components here, as the store keeps it.
        conditions: what differs in how it was computed, in words.
    """

    original: Original
    num_epochs: int
    differences: tuple[Difference, ...]
    sources: str
    conditions: tuple[str, ...]

    @property
    def is_equal(self) -> bool:
        return not self.differences

    def decisions(self) -> list[Decision]:
        """The code that is accepted: none if a number differs or no code has changed."""
        if not self.is_equal or self.original.sources is None:
            return []
        then, now = json.loads(self.original.sources), json.loads(self.sources)
        reason = f"a replay of {self.num_epochs} epochs gave the same numbers, bit for bit"
        return [
            Decision(
                "accept",
                self.original.key,
                self.original.attempt,
                reason,
                datetime.now(UTC),
                component=f"{field} {now[field]['name']}",
                before=then[field]["sha256"],
                after=now[field]["sha256"],
            )
            for field in then.keys() & now.keys()
            if _has_changed(then[field], now[field])
        ]


def find_original(store: Store, prefix: str) -> Original:
    """The newest result of the one cell whose key begins with `prefix`. Raises ReplayError."""
    rows = store.rows(
        f"select {FACTS} from results where starts_with(key, $1) order by key, edition desc",
        [prefix.lower()],
    )
    keys = sorted({row[0] for row in rows})
    if not rows:
        raise ReplayError(f"no result of a cell whose key begins with {prefix}")
    if len(keys) > 1:
        listed = ", ".join(key[:16] for key in keys[:4])
        raise ReplayError(f"{len(keys)} cells have a key that begins with {prefix}: {listed} …")
    return Original(*rows[0])


def replay(
    store: Store, original: Original, data_root: Path, edited: frozenset[str], epochs: int | None
) -> Replay:
    """Train the cell of a result again, its first `epochs` or all of them.

    Raises:
        ReplayError: this machine lacks the device that it was trained on.
        ComponentError, DatasetError: a component or the data are not here.
    """
    config = TrainingConfig.from_dict(json.loads(original.config))
    wanted = min(epochs or config.epochs, config.epochs)
    found = _train(config, original, data_root, wanted)
    stored = {
        metric: store.curves([original.attempt], metric).get(original.attempt, ())
        for metric in METRICS
        if metric != "epoch_learning_rate"
    }
    return Replay(
        original,
        len(found),
        tuple(_differences(stored, [asdict(record) for record in found])),
        sources_text(config, edited),
        tuple(_conditions(original)),
    )


def _train(
    config: TrainingConfig, original: Original, data_root: Path, wanted: int
) -> list[EpochRecord]:
    """The first epochs, trained alone in this process."""
    import torch

    from trainables.process import set_up_process
    from trainables.train import TrainingInterrupted, train

    is_gpu = original.device != ON_CPU
    if is_gpu and not torch.cuda.is_available():
        raise ReplayError(f"it was trained on {original.device}, and here is no GPU")
    set_up_process(original.num_threads or 1)
    found: list[EpochRecord] = []
    with suppress(TrainingInterrupted):
        train(
            config,
            data_root=data_root,
            device="cuda" if is_gpu else ON_CPU,
            on_epoch=found.append,
            should_stop=lambda: len(found) >= wanted,
        )
    return found


def _differences(
    stored: Mapping[str, Sequence[float | None]], found: Sequence[Mapping[str, Any]]
) -> Iterator[Difference]:
    for metric, curve in stored.items():
        pairs = [
            (epoch, then, record[metric])
            for epoch, (then, record) in enumerate(zip(curve, found, strict=False), start=1)
        ]
        # As text, so that NaN equals itself and 0.0 is not -0.0.
        unequal = [pair for pair in pairs if repr(pair[1]) != repr(pair[2])]
        if unequal:
            sizes = [abs(now - then) for _, then, now in unequal if None not in (then, now)]
            yield Difference(metric, *unequal[0], max(sizes, default=None))


def _conditions(original: Original) -> Iterator[str]:
    """In what this run is computed otherwise than the result was."""
    from orchestrator.provenance import package_versions

    if original.was_stacked:
        yield f"it was trained in a stack of {original.stack_size}, and alone here"
    if original.num_threads is None:
        yield "its number of threads is not recorded; one is used here"
    then, now = json.loads(original.packages), json.loads(package_versions())
    for name in sorted(then.keys() & now.keys()):
        if then[name] != now[name] and name in ("torch", "torchvision", "numpy"):
            yield f"{name} was {then[name]}, is {now[name]}"


def _has_changed(then: Mapping[str, str | None], now: Mapping[str, str | None]) -> bool:
    committed = then["origin"] == now["origin"] == BUILT_IN
    digests = then["sha256"], now["sha256"]
    return None not in digests and digests[0] != digests[1] and not committed


def replay_lines(found: Replay) -> Iterator[str]:
    """What a replay found, and what follows from it."""
    config = json.loads(found.original.config)
    yield (
        f"cell {found.original.key[:16]} ({config['loss']['name']} on {config['dataset']['name']}, "
        f"seed {config['seed']}): {found.num_epochs} of {config['epochs']} epochs trained again"
    )
    yield from (f"  {condition}" for condition in found.conditions)
    if found.is_equal:
        yield "  every number is equal to the bit"
    for one in found.differences:
        size = "" if one.largest is None else f", by up to {one.largest:.3g}"
        yield f"  {one.metric} differs from epoch {one.epoch} on ({one.then} → {one.now}){size}"
    for decision in found.decisions():
        yield (
            f"  the code of {decision.component} as it is here stands for the code of this "
            "result from now on"
        )
