"""Stacks of cells → Tune trials, in order, without Tune's own grids."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from ray.tune.experiment.config_parser import _create_trial_from_spec, _make_parser
from ray.tune.search.search_algorithm import SearchAlgorithm

from orchestrator.guard.breaker import Breaker
from orchestrator.guard.drain import Stopping
from orchestrator.sweep.attempt import LaunchSettings, Task

Stack = tuple[Task, ...]
"""Cells that one trial trains together."""


def trial_id(stack: Stack) -> str:
    """Name of the trial of a stack within one run."""
    return stack[0].key[:16]


class NotKept:
    """Tune pickles an experiment to restore it later; nothing of our parts needs to be kept."""

    def __getstate__(self) -> dict[str, object]:
        return {}


class Feeder(NotKept, SearchAlgorithm):  # type: ignore[misc]
    """Emits one resolved trial per stack, in order; linear, unlike a grid over dictionaries."""

    def __init__(
        self,
        stacks: Sequence[Stack],
        settings: LaunchSettings,
        drain: Stopping,
        breaker: Breaker,
        max_concurrent: int | None,
        has_enough: Callable[[], bool] = lambda: False,
    ) -> None:
        self._stacks = iter(stacks)
        self._settings, self._drain, self._breaker = asdict(settings), drain, breaker
        self._room, self._has_enough = max_concurrent or sys.maxsize, has_enough
        self._spec: dict[str, Any] = {}
        self._parser = _make_parser()

    def add_configurations(self, experiments: Any) -> None:
        """Called once by Tune with the experiment whose specification every trial shares."""
        (experiment,) = experiments
        self._spec = experiment.spec

    def next_trial(self) -> Any:
        """The next trial; None while there is no room, and for good when all are out."""
        if self._drain.is_set or self._has_enough():
            self.set_finished()
        if self.is_finished() or self._room == 0:
            return None
        allowed = ((stack, self._allowed(stack)) for stack in self._stacks)
        stack, tasks = next((pair for pair in allowed if pair[1]), ((), ()))
        if not tasks:
            self.set_finished()
            return None
        self._room -= 1
        travelling = [asdict(task) for task in tasks]
        return _create_trial_from_spec(
            {**self._spec, "config": {"tasks": travelling, "settings": self._settings}},
            self._parser,
            trial_id=trial_id(stack),
            evaluated_params={"key": stack[0].key},
        )

    def _allowed(self, stack: Stack) -> Stack:
        """Without the cells of a loss that always fails."""
        return tuple(task for task in stack if not self._breaker.stops(task.loss))

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """A trial left: one more may run."""
        del trial_id, result, error
        self._room += 1
