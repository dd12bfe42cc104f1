"""What the two words of a comparison name: cells, studies or stores.

A path of a file, or a name that ends in `.yaml`, is a study file. `NAME@1` is version 1 of a study,
or edition 1 of a cell; both count from 0. Other words are looked for among the studies of the
store, then among its keys, then among folders.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from orchestrator.inspection.asked import AskedStudy, asked_study, is_file
from orchestrator.inspection.keys import find_key, keys_of
from storage.layout import ATTEMPTS, SEGMENTS, STUDIES
from storage.store import Store

FEWEST_DIGITS = 6
_KEY = re.compile(rf"[0-9a-f]{{{FEWEST_DIGITS},64}}", re.IGNORECASE)
_NUMBERED = re.compile(r"(?P<name>.+)@(?P<number>\d+)")


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
        SideError: nothing that can be compared.
        KeyPrefixError: several cells.
        StudyError: a study file is wrong.
    """
    if is_file(given) and not Path(given).is_dir():
        return StudySide(given, asked_study(given, (), store, data_root), store)
    numbered = _NUMBERED.fullmatch(given)
    name, number = (numbered["name"], int(numbered["number"])) if numbered else (given, None)
    if name in store.studies():
        return StudySide(given, launched_study(name, store, number), store)
    if _KEY.fullmatch(name) and keys_of(store, name):
        return CellSide(given, find_key(store, name), number)
    if _is_store(Path(given)):
        return StoreSide(given, Store(given, read_only=True))
    known = ", ".join(store.studies()) or "none"
    raise SideError(
        f"'{given}' is no study of {store.root} (it has {known}), no beginning of a key of "
        f"{FEWEST_DIGITS} digits or more, and no store"
    )


def launched_study(name: str, store: Store, version: int | None = None) -> AskedStudy:
    """A study as it was last recorded, or one version of it. Raises SideError."""
    record = store.study(name, version)
    if record is None:
        known = ", ".join(str(one.version) for one in store.study_versions(name))
        raise SideError(f"study {name} has no version {version}: it has {known or 'none'}")
    return AskedStudy(record, store.picks(name), Path(record.source_path).parent)


def _is_store(path: Path) -> bool:
    return any((path / folder).is_dir() for folder in (ATTEMPTS, SEGMENTS, STUDIES))
