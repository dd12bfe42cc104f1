"""What the two words of a comparison name: cells, studies or stores.

A path of a file, or a name that ends in `.yaml`, is a study file. `NAME@1` is version 1 of a study,
or edition 1 of a cell; both count from 0. Other words are looked for among the studies of the
store, then among its keys, then among folders.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from orchestrator.inspection.asked import (
    NUMBERED,
    AskedError,
    AskedStudy,
    asked_study,
    is_file,
    launched_study,
)
from orchestrator.inspection.keys import find_key, keys_of
from storage.layout import ATTEMPTS, SEGMENTS, STUDIES
from storage.store import Store

FEWEST_DIGITS = 6
_KEY = re.compile(rf"[0-9a-f]{{{FEWEST_DIGITS},64}}", re.IGNORECASE)


class SideError(Exception):
    """A word names nothing that can be compared, or the two name things of two kinds."""


@dataclass(frozen=True)
class CellSide:
    """One result of a cell. `edition` None: the newest that counts."""

    given: str
    key: str
    edition: int | None = None


@dataclass(frozen=True)
class StudySide:
    """A study with the store that its tables are drawn from."""

    given: str
    asked: AskedStudy
    store: Store


@dataclass(frozen=True)
class StoreSide:
    """A whole store."""

    given: str
    store: Store


Side = CellSide | StudySide | StoreSide
KINDS = {CellSide: "a cell", StudySide: "a study", StoreSide: "a store"}


def find_side(given: str, store: Store, data_root: Path) -> Side:
    """What `given` names.

    Raises:
        SideError: nothing that can be compared, or an unknown version of a study.
        KeyPrefixError: several cells.
        StudyError: a study file is wrong.
    """
    if is_file(given) and not Path(given).is_dir():
        return StudySide(given, asked_study(given, (), store, data_root), store)
    numbered = NUMBERED.fullmatch(given)
    name, number = (numbered["name"], int(numbered["number"])) if numbered else (given, None)
    if name in store.studies():
        try:
            return StudySide(given, launched_study(name, store, number), store)
        except AskedError as error:
            raise SideError(str(error)) from None
    if _KEY.fullmatch(name) and keys_of(store, name):
        return CellSide(given, find_key(store, name), number)
    if _is_store(Path(given)):
        return StoreSide(given, Store(given, read_only=True))
    known = ", ".join(store.studies()) or "none"
    raise SideError(
        f"'{given}' is no study of {store.root} (it has {known}), no beginning of a key of "
        f"{FEWEST_DIGITS} digits or more, and no store"
    )


def _is_store(path: Path) -> bool:
    return any((path / folder).is_dir() for folder in (ATTEMPTS, SEGMENTS, STUDIES))
