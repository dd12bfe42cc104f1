"""How long the missing cells will take, from what cells of the same kind took before.

A kind is what decides an epoch's time: data set, architecture, batch size, precision, device.
Values in, values out; cells of a kind that was never run are counted apart, not guessed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestrator.progress.durations import format_seconds
from orchestrator.study.cell import Cell
from storage.store import Pace
from trainables.config import Choice, TrainingConfig

RESULT_BYTES = 15_000
"""A landed result before compaction; half of it afterwards."""

Kind = tuple[str, str, int, str]


@dataclass(frozen=True)
class Forecast:
    """Time of training that is left, summed over the cells.

    Args:
        num_cells: cells that are due.
        low, middle, high: seconds of one trial after the other, for the cells of known kinds.
        device: on which the known kinds ran.
        num_before: earlier results behind it.
        unknown: kinds never run on that device → their cells.
        num_probed: kinds judged by a probe.
    """

    num_cells: int
    low: float
    middle: float
    high: float
    device: str
    num_before: int
    unknown: tuple[tuple[Cell, ...], ...]
    num_probed: int = 0

    @property
    def num_bytes(self) -> int:
        """Room that the results take in the store."""
        return self.num_cells * RESULT_BYTES


def forecast(due: Sequence[Cell], paces: Sequence[Pace], device: str | None = None) -> Forecast:
    """Time of the cells that are `due`.

    Args:
        paces: the store's own history, and probes (of no cells).
        device: by whose history; None takes the device with the most results.
    """
    counts: Counter[str] = Counter()
    for before in paces:
        counts[before.device] += before.num_cells
    chosen = device or next((name for name, _ in counts.most_common(1)), "")
    known = {_kind_of_pace(item): item for item in paces if item.device == chosen}
    low = middle = high = 0.0
    used: dict[Kind, int] = {}
    unknown: dict[Kind, list[Cell]] = {}
    texts: dict[int, str] = {}  # by identity: cells share their components, and equal ones differ
    for cell in due:
        kind = _kind(cell.config, texts)
        pace = known.get(kind)
        if pace is None:
            unknown.setdefault(kind, []).append(cell)
            continue
        used[kind] = pace.num_cells
        low += pace.low * cell.config.epochs
        middle += pace.middle * cell.config.epochs
        high += pace.high * cell.config.epochs
    return Forecast(
        num_cells=len(due),
        low=low,
        middle=middle,
        high=high,
        device=chosen,
        num_before=sum(used.values()),
        unknown=tuple(map(tuple, unknown.values())),
        num_probed=sum(count == 0 for count in used.values()),
    )


def forecast_lines(found: Forecast, slots: int | None = None) -> Iterator[str]:
    """Training time, wall time on `slots` trials at once, disk, and what is not in it."""
    if found.middle:
        judges = [
            f"{found.num_before} earlier results" if found.num_before else "",
            f"{found.num_probed} probes" if found.num_probed else "",
        ]
        span = f" ({format_seconds(found.low)} to {format_seconds(found.high)})"
        yield (
            f"about {format_seconds(found.middle)} of training"
            f"{span if found.low < found.high else ''}, judged by "
            f"{' and '.join(filter(None, judges))} on {found.device}"
        )
        if slots and slots > 1:
            yield f"about {format_seconds(found.middle / slots)} with {slots} trials at a time"
    for cells in found.unknown:
        kind = in_words(cells[0].config)
        yield f"{len(cells)} cells of a kind that never ran here, time unknown: {kind}"
    if found.num_cells:
        yield f"about {max(1, round(found.num_bytes / 1e6))} MB of results"


def _kind(config: TrainingConfig, texts: dict[int, str]) -> Kind:
    for choice in (config.dataset, config.architecture):
        if id(choice) not in texts:
            texts[id(choice)] = _canonical(choice)
    return (
        texts[id(config.dataset)],
        texts[id(config.architecture)],
        config.batch_size,
        config.precision,
    )


def _kind_of_pace(pace: Pace) -> Kind:
    dataset, architecture = json.loads(pace.dataset), json.loads(pace.architecture)
    return (_text(dataset), _text(architecture), pace.batch_size, pace.precision)


def _canonical(choice: Choice) -> str:
    return _text({"name": choice.name, **choice.as_dict()})


def _text(component: object) -> str:
    return json.dumps(component, sort_keys=True)


def in_words(config: TrainingConfig) -> str:
    """The kind of a cell."""
    return f"{config.architecture.name} on {config.dataset.name}, batches of {config.batch_size}"
