"""A run leaves its process as it found it, or has no result.

Components may be anyone's code. One that changes a global setting makes its own numbers depend on
the order in which things happen, and those of every later run in the process on itself: the change
is undone, and the run ends in an error that names it. What moves no numbers is undone with a note.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from trainables import components
from trainables.config import TrainingConfig
from trainables.isolation.state import Change, ProcessState

logger = logging.getLogger(__name__)

OWN_CODE = f"{__name__.partition('.')[0]}."

_refused: dict[str, str] = {}
"""Component → why it is refused: a module is imported once, and runs that name it come again."""


class GlobalStateError(Exception):
    """A component changed what all runs of the process share."""


@contextmanager
def isolated(
    who: str, on_note: Callable[[str], None] = logger.warning
) -> Iterator[Callable[[], None]]:
    """Undo what the block changes. Raises GlobalStateError if numbers may depend on that.

    Yields:
        What takes microseconds and ends the block if it has changed a setting already: a long run
        need not reach its end to have no result.
    """
    before, numbers = ProcessState.now(), ProcessState.of_numbers()
    problem: Exception | None = None

    def look() -> None:
        if numbers.changes():
            raise GlobalStateError(_message(who, numbers.changes()))

    try:
        yield look
    except Exception as error:  # noqa: BLE001 - raised again below
        problem = error
    changes = before.changes()
    before.restore()
    if moving := [change for change in changes if change.moves_numbers]:
        raise GlobalStateError(_message(who, moving)) from problem
    if changes:
        on_note(f"{_message(who, changes)}; undone")
    if problem:
        raise problem


def load_components(
    configs: Sequence[TrainingConfig], on_note: Callable[[str], None] = logger.warning
) -> None:
    """Import every component that the runs name.

    Raises:
        GlobalStateError: a file changes the global state when it is imported.
    """
    components.import_built_in()
    for config in configs:
        for field, choice in components.choices(config).items():
            registry = components.REGISTRIES[field.partition("[")[0]]
            name = f"{registry.kind} {choice.name}"
            if name in _refused:
                raise GlobalStateError(_refused[name])
            if not registry.has_loaded(choice.name):
                _load(name, partial(registry.component, choice.name), on_note)


def _load(name: str, load: Callable[[], object], on_note: Callable[[str], None]) -> None:
    try:
        with isolated(f"importing {name}", on_note):
            load()
    except GlobalStateError as error:
        _refused[name] = str(error)
        raise


def foreign_components(configs: Sequence[TrainingConfig]) -> str:
    """The components that are not of this project, as words; "this run" if all are."""
    found: dict[str, None] = {}
    for config in configs:
        for field, choice in components.choices(config).items():
            registry = components.REGISTRIES[field.partition("[")[0]]
            module = getattr(registry.component(choice.name).target, "__module__", "")
            if not str(module).startswith(OWN_CODE):
                found.setdefault(f"{registry.kind} {choice.name}")
    return " or ".join(found) or "this run"


def _message(who: str, changes: Sequence[Change]) -> str:
    """One line: the first change stands for those that come with it."""
    first = changes[0]
    more = f" (and {len(changes) - 1} more)" if len(changes) > 1 else ""
    instead = f"; {first.instead} instead" if first.instead else ""
    return f"{who} changes {first.text}{more}{instead}"
