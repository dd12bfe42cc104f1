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

from orchestrator.plan.expectations import sources_text
from storage.records.decisions import Decision
from storage.schema import METRICS
from storage.standing.judgement import changed_sources
from storage.store import Store
from trainables.config import EpochRecord, TrainingConfig
from trainables.datasets.content import data_digests

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
    def name(self) -> str:
        """The key and, as in file names, the edition where it is not the first."""
        return name_of(self.key, self.edition)

    @property
    def short_name(self) -> str:
        """The same with the first digits of the key."""
        return name_of(self.key[:16], self.edition)

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
        """Whether every number that was trained again is the same to the bit."""
        return not self.differences

    @property
    def is_refuted(self) -> bool:
        """Whether numbers differ though they were computed as then."""
        return not self.is_equal and not self.conditions

    def decisions(self) -> list[Decision]:
        """The code that is accepted: none if a number differs or no code has changed."""
        if not self.is_equal or self.original.sources is None:
            return []
        reason = f"a replay of {self.num_epochs} epochs gave the same numbers, bit for bit"
        return [
            Decision(
                "accept",
                self.original.key,
                self.original.attempt,
                reason,
                datetime.now(UTC),
                component=component,
                before=before,
                after=after,
            )
            for component, before, after in changed_sources(self.original.sources, self.sources)
        ]


def name_of(key: str, edition: int) -> str:
    """What `find_original` understands."""
    return f"{key}.{edition}" if edition else key


def find_original(store: Store, wanted: str) -> Original:
    """A result of the one cell whose key begins with `wanted`: the newest, or that of an edition.

    Args:
        wanted: the first digits of a key, and after a dot or an @ the edition if not the newest is
            meant. A result that was to be made anew is found too.

    Raises:
        ReplayError: no such result, or more than one such cell.
    """
    prefix, dot, edition = wanted.lower().replace("@", ".").partition(".")
    rows = store.rows(
        f"select {FACTS} from attempts where starts_with(key, $1) "
        "and outcome in ('finished', 'diverged') order by key, edition desc",
        [prefix],
    )
    found = [Original(*row) for row in rows]
    keys = list(dict.fromkeys(original.key for original in found))
    if not found:
        raise ReplayError(f"no result of a cell whose key begins with {prefix}")
    if len(keys) > 1:
        listed = ", ".join(key[:16] for key in keys[:4])
        raise ReplayError(f"{len(keys)} cells have a key that begins with {prefix}: {listed} …")
    chosen = [original for original in found if not dot or str(original.edition) == edition]
    if not chosen:
        editions = ", ".join(str(original.edition) for original in found)
        raise ReplayError(f"cell {keys[0][:16]} has no edition {edition}; there are {editions}")
    return chosen[0]


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
        (*_conditions(original), *_data_conditions(original, config, data_root)),
    )


def _train(
    config: TrainingConfig, original: Original, data_root: Path, wanted: int
) -> list[EpochRecord]:
    """The first epochs, trained alone in this process."""
    import torch

    from trainables.training.process import set_up_process
    from trainables.training.train import TrainingInterrupted, train

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
    from orchestrator.plan.provenance import package_versions

    if original.was_stacked:
        yield f"it was trained in a stack of {original.stack_size}, and alone here"
    if original.device not in (ON_CPU, here := _device_name()):
        yield f"it was trained on {original.device}, and here on {here}"
    if original.num_threads is None:
        yield "its number of threads is not recorded; one is used here"
    then, now = json.loads(original.packages), json.loads(package_versions())
    for name in sorted(then.keys() & now.keys()):
        if then[name] != now[name] and name in ("torch", "torchvision", "numpy"):
            yield f"{name} was {then[name]}, is {now[name]}"


def _data_conditions(original: Original, config: TrainingConfig, data_root: Path) -> Iterator[str]:
    """Which data are not those of the result, as far as both are known."""
    here = data_digests(config.dataset, data_root)
    if here is None:
        return
    if original.train_data_sha256 not in (None, here.train):
        yield "the training data are not those of the result"
    if original.test_data_sha256 not in (None, here.test):
        yield "the test data are not those of the result"


def _device_name() -> str:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else ON_CPU


def replay_lines(found: Replay) -> Iterator[str]:
    """What a replay found, and what follows from it."""
    config = json.loads(found.original.config)
    yield (
        f"cell {found.original.short_name} ({config['loss']['name']} on "
        f"{config['dataset']['name']}, seed {config['seed']}): {found.num_epochs} of "
        f"{config['epochs']} epochs trained again"
    )
    yield from (f"  {condition}" for condition in found.conditions)
    if found.is_equal:
        yield "  every number is equal to the bit"
    for one in found.differences:
        size = "" if one.largest is None else f", by up to {one.largest:.3g}"
        yield f"  {one.metric} differs from epoch {one.epoch} on ({one.then} → {one.now}){size}"
    if found.differences and found.conditions:
        yield "  this does not say that the code gives other numbers: it was computed otherwise"
    for decision in found.decisions():
        yield (
            f"  the code of {decision.component} as it is here stands for the code of this "
            "result from now on"
        )
