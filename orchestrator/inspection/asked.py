"""What a user means by a study: a file as it stands now, or the name of one that was launched.

A file is drawn from its own text, with its overrides, against the store; a name from the record of
its last launch, and `NAME@1` from version 1 of it, counted from 0. Where a file and the last launch
differ, that is said.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.inspection.since_launch import launch_words, since_launch
from orchestrator.plan.expectations import Expectations
from orchestrator.plan.open import open_study, plan_study
from orchestrator.plan.provenance import code_version
from orchestrator.plan.records import pick_records, study_record
from storage.attempt import PickRecord, StudyRecord
from storage.reporting.report import Report, StudyNotFoundError, draw_report
from storage.store import Store

SUFFIXES = (".yaml", ".yml")
NUMBERED = re.compile(r"(?P<name>.+)@(?P<number>\d+)")
"""A name and the number of a version, or of an edition."""

NOT_LAUNCHED = ""
"""Launch of a record that was made to look at results, not by a launch."""


class AskedError(Exception):
    """A study cannot be asked for in this way; the text says why."""


@dataclass(frozen=True)
class AskedStudy:
    """A study to be drawn.

    Args:
        base: folder from which its published tables are found.
        page: name of its files in the store, so that another question than that of the last launch
            does not replace the launch's page.
        remarks: in what its file and its last launch differ.
    """

    record: StudyRecord
    picks: tuple[PickRecord, ...]
    base: Path
    page: str
    remarks: tuple[str, ...] = ()

    def report(self, store: Store) -> Report:
        """All that the study ends in."""
        return draw_report(store, self.record, self.picks, self.base, self.remarks)


def is_file(given: str) -> bool:
    """Whether `given` names a study file rather than a launched study."""
    return given.endswith(SUFFIXES) or Path(given).name != given


def asked_study(
    given: str, overrides: Sequence[str], store: Store, data_root: Path, *, smoke: bool = False
) -> AskedStudy:
    """The study that `given` names.

    Raises:
        AskedError: a launched study is given overrides, or has no such version.
        StudyError: the file, or an override of it, is wrong.
        StudyNotFoundError: the store has no study of that name.
    """
    if is_file(given):
        return _from_file(Path(given), overrides, store, data_root, smoke=smoke)
    numbered = NUMBERED.fullmatch(given)
    name, version = (numbered["name"], int(numbered["number"])) if numbered else (given, None)
    if name not in store.studies():
        raise StudyNotFoundError(name, store.studies())
    launched = launched_study(name, store, version)
    record = launched.record
    if overrides:
        raise AskedError(
            f"{' '.join(overrides)}: a launched study is shown as it was launched; "
            f"changes go with its file, {record.source_path}"
        )
    if version is not None:
        is_newest = version == store.study_versions(name)[-1].version
        words = f"version {version}, judged by {launch_words(record)}"
        return replace(launched, remarks=(words,), page=name if is_newest else given)
    return replace(launched, remarks=tuple(since_launch(record, store, data_root)))


def launched_study(name: str, store: Store, version: int | None = None) -> AskedStudy:
    """A study as it was last recorded, or one version of it. Raises AskedError."""
    record = store.study(name, version)
    if record is None:
        known = ", ".join(str(one.version) for one in store.study_versions(name))
        raise AskedError(f"study {name} has no version {version}: it has {known or 'none'}")
    return AskedStudy(record, store.picks(name), Path(record.source_path).parent, name)


def _from_file(
    path: Path, overrides: Sequence[str], store: Store, data_root: Path, *, smoke: bool
) -> AskedStudy:
    opened = open_study(path, overrides, smoke=smoke)
    code = code_version()
    found = plan_study(opened, store, Expectations(data_root, code.edited))
    record = study_record(opened, found.plan.planned, NOT_LAUNCHED, code)
    picks = tuple(pick_records(opened.study, found.picks))
    remarks = tuple(_differences(record, store))
    is_launched_so = not remarks or store.study(record.name) is None
    page = record.name if is_launched_so else f"{record.name}.{_question_digits(record)}"
    return AskedStudy(record, picks, path.parent, page, remarks)


def _question_digits(record: StudyRecord) -> str:
    """Digits that are the same for the same text, overrides and cells, and hardly for others."""
    keys = [cell.key for cell in record.planned]
    question = json.dumps([record.source_text, record.overrides, keys])
    return hashlib.sha256(question.encode()).hexdigest()[:8]


def _differences(here: StudyRecord, store: Store) -> Iterator[str]:
    """In what a file differs from the last launch of a study of its name."""
    there = store.study(here.name)
    if there is None:
        yield "this study was not launched into this store"
        return
    if Path(there.source_path).resolve() != Path(here.source_path).resolve():
        yield f"the last launch of a study named {here.name} was of {there.source_path}"
    if there.overrides != here.overrides:
        yield f"the last launch had the overrides {' '.join(there.overrides) or '(none)'}"
    ours, theirs = ({c.key for c in one.planned if c.key} for one in (here, there))
    if ours != theirs:
        yield (
            f"{len(ours - theirs)} of its {len(ours)} cells were not part of the last launch, "
            f"{len(theirs - ours)} cells of the last launch are no part of it now"
        )
    if there.tables != here.tables:
        yield "its tables are not those of the last launch"
    if there.figures != here.figures:
        yield "its figures are not those of the last launch"
