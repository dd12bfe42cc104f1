"""The global state of a process as a value: what changed since, how to undo it, its digest.

Numbers of a run may depend on it, so it is the same before and after each run. Knows no run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from trainables.isolation.patches import Functions, Patch
from trainables.isolation.settings import Setting, settings


@dataclass(frozen=True)
class Change:
    """One thing that is not as it was.

    Args:
        text: what it is, from which value to which.
        moves_numbers: whether the numbers of a run may depend on it.
        instead: what a plug-in should do that wants it for itself.
    """

    text: str
    moves_numbers: bool
    instead: str | None = None

    @classmethod
    def of_setting(cls, setting: Setting, before: Any, after: Any) -> Change:
        """A setting with another value."""
        if isinstance(before, Mapping):
            differing = {name for name, _ in before.items() ^ after.items()}
            text = f"{setting.name} ({', '.join(sorted(differing))})"
        else:
            text = f"{setting.name} from {before} to {after}"
        return cls(text, setting.moves_numbers, setting.instead)

    @classmethod
    def of_patch(cls, patch: Patch) -> Change:
        """A function that was replaced."""
        return cls(f"the code of {patch}", True, "define a function or class of your own")


class ProcessState:
    """Settings and functions at one moment.

    Args:
        values: of each setting that is looked at, by its name.
        functions: None to look at settings only.
    """

    def __init__(self, values: Mapping[str, Any], functions: Functions | None) -> None:
        self._values, self._functions = values, functions

    @classmethod
    def now(cls) -> ProcessState:
        """Everything; it takes milliseconds."""
        return cls({setting.name: _read(setting) for setting in _settings()}, Functions())

    @classmethod
    def of_numbers(cls) -> ProcessState:
        """The settings that move numbers; it takes microseconds."""
        moving = (setting for setting in _settings() if setting.moves_numbers)
        return cls({setting.name: _read(setting) for setting in moving}, None)

    @property
    def sha256(self) -> str:
        """Digest of the settings that move numbers, the same in all processes that agree in them.

        Without the number of threads, which results have beside it.
        """
        recorded = {
            setting.name: str(self._values[setting.name])
            for setting in _settings()
            if setting.moves_numbers and setting.is_recorded
        }
        return hashlib.sha256(json.dumps(recorded, sort_keys=True).encode()).hexdigest()

    def changes(self) -> tuple[Change, ...]:
        """What is different now."""
        return (
            *(Change.of_setting(*difference) for difference in self._differences()),
            *(Change.of_patch(patch) for patch in self._patches()),
        )

    def restore(self) -> tuple[Change, ...]:
        """Undo every change. Returns those that cannot be undone and move numbers."""
        for patch in self._patches():
            patch.undo()
        for setting, before, _ in self._differences():
            try:
                setting.write(before)
            except Exception:  # noqa: BLE001 - what is left is what counts
                continue
        return tuple(change for change in self.changes() if change.moves_numbers)

    def _differences(self) -> Iterator[tuple[Setting, Any, Any]]:
        """One after the other: setting one may set others."""
        for setting in _settings():
            if setting.name not in self._values:
                continue
            before, after = self._values[setting.name], _read(setting)
            if after != before:
                yield setting, before, after

    def _patches(self) -> tuple[Patch, ...]:
        return self._functions.patches() if self._functions else ()


def _read(setting: Setting) -> Any:
    try:
        return setting.read()
    except Exception as error:  # noqa: BLE001 - another setting may be in its way
        return f"unreadable ({type(error).__name__})"


@cache
def _settings() -> tuple[Setting, ...]:
    return settings()
