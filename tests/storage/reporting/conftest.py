"""A study and its results as plain values: what the report reads, without any store."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from storage.attempt import PickRecord, PlannedCell, StudyRecord
from storage.reporting.conditions import QUERY
from storage.reporting.page import build_page
from storage.reporting.report import build_report
from storage.reporting.spec import FigureSpec, TableSpec
from storage.standing.judgement import Failures, Known, Result

HOSTILE = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass(frozen=True)
class FakeRows:
    rows: list[tuple[Any, ...]]

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self.rows


@dataclass(frozen=True)
class FakeConflict:
    key: str
    edition: int = 0


@dataclass(frozen=True)
class FakeDamage:
    path: Path
    reason: str


@dataclass
class Sweep:
    """Cells and results side by side; also answers the report's questions to a store."""

    tables: dict[str, TableSpec] = field(default_factory=dict)
    figures: dict[str, FigureSpec] = field(default_factory=dict)
    planned: list[PlannedCell] = field(default_factory=list)
    results: dict[str, tuple[Result, ...]] = field(default_factory=dict)
    failures: dict[str, Failures] = field(default_factory=dict)
    numbers: dict[str, dict[str, Sequence[float | None]]] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    made: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    conflicting: set[str] = field(default_factory=set)
    guessing: set[str] = field(default_factory=set)
    chosen: list[PickRecord] = field(default_factory=list)
    damaged: list[FakeDamage] = field(default_factory=list)

    def damage(self, name: str, reason: str) -> None:
        self.damaged.append(FakeDamage(Path("/somewhere/private") / name, reason))

    def plan(
        self,
        axes: Mapping[str, str],
        seed: int = 0,
        *,
        phase: str = "main",
        key: str | None = "by axes",
        skipped: str | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> str:
        """One planned cell; its key says what it is. `config` gets the seed."""
        text = ",".join(f"{name}={value}" for name, value in sorted(axes.items()))
        made = f"{text},seed={seed}" if key == "by axes" else key
        shown = None if skipped else made
        cell = PlannedCell(
            study="sweep",
            phase=phase,
            position=len(self.planned),
            key=shown,
            base_key=f"base {shown}" if shown else None,
            seed=seed,
            axes=dict(axes),
            config=None if config is None else json.dumps({**config, "seed": seed}, sort_keys=True),
            skipped=skipped,
        )
        self.planned.append(cell)
        return made or ""

    def finish(
        self,
        key: str,
        curve: Sequence[float | None],
        *,
        outcome: str = "finished",
        **metrics: Sequence[float | None],
    ) -> None:
        """A result; every metric that is not named takes the same curve."""
        result = Result(key, f"base {key}", key, 0, outcome, "{}", "{}", None, None, None)
        self.results[key] = (result,)
        self.numbers[key] = {"any": curve, **metrics}

    def fail(self, key: str, error_class: str = "exception", message: str = "boom") -> None:
        self.failures[key] = Failures(1, error_class, message)

    def run(
        self, loss: str, noise_rate: str, accuracies: Sequence[float], **more: Any
    ) -> list[str]:
        """Planned and finished cells, one accuracy per seed."""
        keys = []
        for seed, accuracy in enumerate(accuracies):
            keys.append(self.plan({"loss": loss, "noise.rate": noise_rate}, seed, **more))
            self.finish(keys[-1], [0.1, accuracy])
        return keys

    def study(self, name: str) -> StudyRecord | None:
        if name != "sweep":
            return None
        return StudyRecord(
            name="sweep",
            title="A sweep",
            source_path="/somewhere/private/studies/sweep.yaml",
            source_sha256="ab" * 32,
            source_text="study: sweep",
            overrides=("seeds=3",),
            tables=self.tables,
            planned=tuple(self.planned),
            launch="launch-1",
            recorded_at=NOW,
            code_version="1234abcd",
            figures=self.figures,
        )

    def studies(self) -> tuple[str, ...]:
        return ("sweep",)

    @property
    def known(self) -> Known:
        bases = {f"base {key}": "{}" for key in self.results}
        return Known(self.results, self.failures, bases | self.others)

    def curves(self, attempts: Iterable[str], metric: str) -> dict[str, Sequence[float | None]]:
        found = {key: self.numbers[key] for key in attempts if key in self.numbers}
        return {key: curves.get(metric, curves["any"]) for key, curves in found.items()}

    def picks(self, study: str) -> tuple[PickRecord, ...]:
        return tuple(self.chosen)

    def sql(self, query: str) -> FakeRows:
        if query == QUERY:
            return FakeRows([(key, *made) for key, made in self.made.items()])
        return FakeRows([(key,) for key in sorted(self.guessing)])

    def conflicts(self) -> tuple[FakeConflict, ...]:
        return tuple(FakeConflict(key) for key in sorted(self.conflicting))


@pytest.fixture
def sweep() -> Sweep:
    return Sweep()


@pytest.fixture
def make_pick() -> Callable[..., PickRecord]:
    def make(**changes: Any) -> PickRecord:
        values: dict[str, Any] = {
            "study": "sweep",
            "phase": "search",
            "pick": "best_rate",
            "group": {"loss": "CE"},
            "field": "learning_rate",
            "value": "0.1",
            "score": 0.913,
            "runner_up": "0.01",
            "runner_up_score": 0.9,
            "num_seeds": 3,
            "is_tie": False,
            "at_edge": False,
            "changed_share": 0.125,
            "rule": "largest mean over seeds of test_accuracy at the last epoch, "
            "selected on test data",
            "picked_at": NOW,
        }
        return PickRecord(**{**values, **changes})

    return make


@pytest.fixture
def page(sweep: Sweep, make_pick: Callable[..., PickRecord], tmp_path: Path) -> str:
    """The page of a study with a search and a main phase, whose names would like to be scripts."""
    sweep.tables = {"accuracy": TableSpec(title=HOSTILE, phase="main")}
    for loss in ("CE", HOSTILE):
        for rate in ("0.01", "0.1"):
            axes = {"loss": loss, "learning_rate": rate, "noise.rate": "0"}
            for seed in range(3):
                key = sweep.plan(axes, seed, phase="search")
                sweep.finish(key, [0.5, 0.6 + seed / 100])
        sweep.chosen.append(make_pick(group={"loss": loss}))
        for noise in ("0", "0.4"):
            sweep.run(loss, noise, [0.7, 0.8, 0.9], phase="main")
    sweep.fail(sweep.plan({"loss": "CE", "noise.rate": "0.4"}, 3), "exception", HOSTILE)
    return build_page(sweep, build_report(sweep, "sweep", tmp_path))
