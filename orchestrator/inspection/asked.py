"""What a user means by a study: a file as it stands now, or the name of one that was launched.

A file is drawn from its own text, with its overrides, against the store; a name from the record of
its last launch. Where both are there and differ, that is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.expectations import Expectations
from orchestrator.opened import open_study, plan_study
from orchestrator.provenance import code_version
from orchestrator.recording import pick_records, study_record
from storage.attempt import PickRecord, StudyRecord
from storage.reporting.report import Report, StudyNotFoundError, draw_report
from storage.store import Store

SUFFIXES = (".yaml", ".yml")
NOT_LAUNCHED = ""
"""Launch of a record that was made to look at results, not by a launch."""


class AskedError(Exception):
    """A study cannot be asked for in this way; the text says why."""


@dataclass(frozen=True)
class AskedStudy:
    """A study to be drawn.

    Args:
        base: folder from which its published tables are found.
        remarks: in what its file and its last launch differ.
    """

    record: StudyRecord
    picks: tuple[PickRecord, ...]
    base: Path
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
        AskedError: a launched study is given overrides.
        StudyError: the file, or an override of it, is wrong.
        StudyNotFoundError: the store has no study of that name.
    """
    if is_file(given):
        return _from_file(Path(given), overrides, store, data_root, smoke=smoke)
    record = store.study(given)
    if record is None:
        raise StudyNotFoundError(given, store.studies())
    if overrides:
        raise AskedError(
            f"{' '.join(overrides)}: a launched study is shown as it was launched; "
            f"changes go with its file, {record.source_path}"
        )
    return AskedStudy(record, store.picks(given), Path(record.source_path).parent)


def _from_file(
    path: Path, overrides: Sequence[str], store: Store, data_root: Path, *, smoke: bool
) -> AskedStudy:
    opened = open_study(path, overrides, smoke=smoke)
    code = code_version()
    found = plan_study(opened, store, Expectations(data_root, code.edited))
    record = study_record(opened, found.plan.planned, NOT_LAUNCHED, code)
    picks = tuple(pick_records(opened.study, found.picks))
    return AskedStudy(record, picks, path.parent, tuple(_differences(record, store)))


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
