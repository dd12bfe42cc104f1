"""What a running launch tells: the events, and who may hear them. Knows no Ray."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self


class Progress:
    """Hears the events of a launch, here without doing anything. Decides nothing.

    Used as a context manager around the launch.
    """

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del kind, error, trace

    def note(self, message: str) -> None:
        """One line for the user, now."""

    def begin_phase(self, phase: str, done: int, to_run: dict[str, int]) -> None:
        """`done` cells of the phase are in the store; `to_run` maps key → epochs."""

    def trial_started(self, key: str) -> None:
        """A worker has taken a cell."""

    def trial_advanced(self, key: str, epoch: int) -> None:
        """A cell has finished so many epochs."""

    def trial_retried(self, key: str) -> None:
        """The worker of a cell was lost; the cell goes on from its last checkpoint."""

    def trial_ended(self, key: str, outcome: str) -> None:
        """A cell ended as the store says, or was interrupted."""


class SharedProgress(Progress):
    """Several listeners, whose errors (a closed terminal, a full disk) never reach the cells.

    After its first error a listener is left alone, and the others are told.
    """

    def __init__(self, listeners: Sequence[Progress]) -> None:
        self._listeners = list(listeners)

    def __enter__(self) -> Self:
        self._tell(lambda listener: listener.__enter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for listener in reversed(self._listeners):
            self._tell_one(listener, lambda it: it.__exit__(kind, error, trace))

    def note(self, message: str) -> None:
        self._tell(lambda listener: listener.note(message))

    def begin_phase(self, phase: str, done: int, to_run: dict[str, int]) -> None:
        self._tell(lambda listener: listener.begin_phase(phase, done, to_run))

    def trial_started(self, key: str) -> None:
        self._tell(lambda listener: listener.trial_started(key))

    def trial_advanced(self, key: str, epoch: int) -> None:
        self._tell(lambda listener: listener.trial_advanced(key, epoch))

    def trial_retried(self, key: str) -> None:
        self._tell(lambda listener: listener.trial_retried(key))

    def trial_ended(self, key: str, outcome: str) -> None:
        self._tell(lambda listener: listener.trial_ended(key, outcome))

    def _tell(self, event: Callable[[Progress], object]) -> None:
        for listener in tuple(self._listeners):
            self._tell_one(listener, event)

    def _tell_one(self, listener: Progress, event: Callable[[Progress], object]) -> None:
        try:
            event(listener)
        except Exception as error:  # noqa: BLE001 - whatever a listener does, training goes on
            self._listeners.remove(listener)
            self.note(f"{type(listener).__name__} failed and is left out from here: {error}")
