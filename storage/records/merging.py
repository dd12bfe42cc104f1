"""Studies and picks of another store → this one: a study that is here stays as it is.

A study that is not here comes with its whole history. One that is here was asked for by who works
here, so what another store asks of the same name is reported and never made current; neither its
dates nor its numbers count. Records that cannot be true are refused one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pyarrow as pa

from storage.durable import put_if_absent
from storage.layout import PICKS, STUDIES, picks_path, study_path
from storage.reader import Reader
from storage.records.tables import (
    asks_the_same,
    foreign_study_problem,
    picks_problem,
    study_head,
    study_problem,
)
from storage.records.versions import History
from storage.schema import picks_schema, planned_schema


@dataclass(frozen=True)
class Refusal:
    """One row or record that was not taken over.

    Args:
        what: key of the row's cell, or folder and name of the record's file.
        reason: what is wrong with it.
        origin: the store it lies in.
    """

    what: str
    reason: str
    origin: Path


@dataclass(frozen=True)
class Asked:
    """What one version of a study asks for: its changes of the file, and its cells."""

    overrides: tuple[str, ...]
    num_cells: int


@dataclass(frozen=True)
class StudyDifference:
    """A study that is here and asks for something else in another store.

    Args:
        study: its name.
        ours, theirs: what the current versions ask for.
        num_shared: cells that both ask for.
        origin: the other store.
    """

    study: str
    ours: Asked
    theirs: Asked
    num_shared: int
    origin: Path


@dataclass
class RecordUnion:
    """What became of the records of another store."""

    studies: list[str] = field(default_factory=list)
    differences: list[StudyDifference] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)


def take_records(reader: Reader, target: Path) -> RecordUnion:
    """Take over the studies of `reader`'s store, each with its picks.

    Raises LandingError if `target` cannot be written.
    """
    done = RecordUnion()

    def refuse(path: Path, reason: str) -> None:
        what = str(path.relative_to(reader.root))
        done.refused.append(Refusal(what, reason, reader.root))

    problem = partial(foreign_study_problem, now=datetime.now(UTC))
    theirs = History(reader, STUDIES, planned_schema(), problem, refuse)
    picks = History(reader, PICKS, picks_schema(), picks_problem, refuse)
    ours = History(Reader(target, read_only=False), STUDIES, planned_schema(), study_problem)
    for name in sorted(theirs.current):
        if name in ours.current and not asks_the_same(ours.current[name], theirs.current[name]):
            if not _is_known(theirs.current[name], ours, name):
                done.differences.append(_difference(name, ours, theirs, reader.root))
            continue
        if _take(name, theirs, picks, ours, target):
            done.studies.append(name)
    return done


def _take(name: str, theirs: History, picks: History, ours: History, target: Path) -> bool:
    """Copy a study with its history. Returns whether it was not here before.

    The newest version lands before the older ones, and after its picks, so that a merge that was
    cut off shows what it will show in the end; done again, it adds the rest.
    """
    is_new = name not in ours.current
    if is_new:
        for number, content in enumerate(picks.contents(name)):
            put_if_absent(picks_path(target, name, number), content)
    versions = list(enumerate(theirs.contents(name)))
    for number, content in reversed(versions):
        if is_new or number < max(ours.heads[name]):
            put_if_absent(study_path(target, name, number), content)
    return is_new


def _is_known(table: pa.Table, ours: History, name: str) -> bool:
    return any(asks_the_same(one, table) for one in ours.versions(name).values())


def _difference(name: str, ours: History, theirs: History, origin: Path) -> StudyDifference:
    tables = ours.current[name], theirs.current[name]
    ours_keys, their_keys = (set(table["key"].drop_null().to_pylist()) for table in tables)
    num_shared = len(ours_keys & their_keys)
    return StudyDifference(name, _asked(tables[0]), _asked(tables[1]), num_shared, origin)


def _asked(table: pa.Table) -> Asked:
    return Asked(study_head(table).overrides, table["skipped"].null_count)
