"""A launch as lines of JSON, for programs that watch it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from orchestrator.progress import Progress


class EventLogError(Exception):
    """The file cannot be written; the text names it."""


class EventLog(Progress):
    """One JSON object a line, each with `time` (UTC, ISO 8601) and `event`, appended to a file.

    Events: `launch`, `phase` (phase, done, due), `started`, `advanced` (epoch), `retried`, `ended`
    (outcome), each of these four with `key`; `note` (text), `end` (error). A pipe or /dev/stderr
    will do as well as a file.

    Raises EventLogError if the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file: TextIO = path.open("a", encoding="utf-8", buffering=1)
        except OSError as error:
            raise EventLogError(f"{path} cannot be written: {error.strerror}") from error

    def __enter__(self) -> Self:
        self._write("launch")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        del kind, trace
        self._write("end", error=None if error is None else str(error) or type(error).__name__)
        self._file.close()

    def note(self, message: str) -> None:
        self._write("note", text=message)

    def begin_phase(self, phase: str, done: int, to_run: dict[str, int]) -> None:
        self._write("phase", phase=phase, done=done, due=len(to_run))

    def trial_started(self, key: str) -> None:
        self._write("started", key=key)

    def trial_advanced(self, key: str, epoch: int) -> None:
        self._write("advanced", key=key, epoch=epoch)

    def trial_retried(self, key: str) -> None:
        self._write("retried", key=key)

    def trial_ended(self, key: str, outcome: str) -> None:
        self._write("ended", key=key, outcome=outcome)

    def _write(self, event: str, **facts: Any) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._file.write(json.dumps({"time": now, "event": event, **facts}) + "\n")
