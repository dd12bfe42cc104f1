"""What has changed since the launch that a study is judged by: its file, its code and its data.

A launched study is judged by what its record says its cells answer to. This looks at its file as it
stands, as far as that is cheap: no data set is decoded.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from orchestrator.plan.expectations import Expectations
from orchestrator.plan.open import OpenedStudy, open_study, plan_study
from orchestrator.plan.provenance import code_version
from orchestrator.study.model import SMOKE_SUFFIX
from orchestrator.study.text import StudyError
from storage.attempt import PlannedCell, StudyRecord
from storage.standing.judgement import changed_sources, config_differences
from storage.store import Store
from trainables.datasets import default_data_root

RESULTS = Path("results")
"""The store that a command without `--store` reads."""

DATA = ("train_data_sha256", "test_data_sha256")


def launch_words(record: StudyRecord) -> str:
    """Such as `the launch of 2026-03-01 12:00 UTC`."""
    return f"the launch of {record.recorded_at:%Y-%m-%d %H:%M} UTC"


def since_launch(record: StudyRecord, store: Store, data_root: Path) -> Iterator[str]:
    """No line if all is as it was at the launch, otherwise one that says what is not."""
    judged = f"judged by {launch_words(record)}"
    path = Path(record.source_path)
    if not path.is_file():
        yield f"{judged}; its file {path} is not here"
        return
    is_smoke = record.name.endswith(SMOKE_SUFFIX)
    smoke = ["--smoke"] if is_smoke else []
    given = [str(path), *record.overrides, *smoke, *_at(store, data_root)]
    command = shlex.join(["orchestrator", "report", *given])
    try:
        found = _changed(record, store, data_root, is_smoke=is_smoke)
    except StudyError as error:
        yield f"{judged}; its file cannot be read as it stands: {error}"
        return
    if found is None:
        yield f"{judged}; `{command}` judges the file as it stands"
    elif found:
        yield f"{judged}; since then {found}: `{command}` judges the file as it stands"


def _at(store: Store, data_root: Path) -> Iterator[str]:
    """Options without which the command would look elsewhere."""
    if store.root != RESULTS:
        yield from ("--store", str(store.root))
    if data_root != default_data_root():
        yield from ("--data-root", str(data_root))


def _changed(record: StudyRecord, store: Store, data_root: Path, *, is_smoke: bool) -> str | None:
    """What has changed; empty if nothing has, None if that is not known."""
    opened = open_study(Path(record.source_path), record.overrides, smoke=is_smoke)
    if opened.study.name != record.name:
        return f"the file has become the study {opened.study.name}"
    if opened.source.text != record.source_text:
        return "the file has changed"
    return _changed_cells(record, _planned(opened, store, data_root))


def _planned(
    opened: OpenedStudy, store: Store, data_root: Path
) -> dict[tuple[str, str | None], PlannedCell]:
    expectations = Expectations(
        data_root, code_version().edited, of_all_data=True, only_remembered=True
    )
    planned = plan_study(opened, store, expectations).plan.planned
    return {(cell.phase, cell.key): cell for cell in planned}


def _changed_cells(
    record: StudyRecord, here: Mapping[tuple[str, str | None], PlannedCell]
) -> str | None:
    """The same for the cells: their settings, their code and their data."""
    there = {(cell.phase, cell.key): cell for cell in record.planned}
    if here.keys() != there.keys():
        return "its defaults or its picks give other cells"
    pairs = [(cell, here[place]) for place, cell in there.items() if cell.key is not None]
    if any(_is_other_config(then, now) for then, now in pairs):
        return "a default has changed"
    changed = {one for then, now in pairs for one in _changed_code(then, now)}
    if changed:
        return f"the code of {', '.join(sorted(changed))} has changed"
    digests = [(getattr(then, name), getattr(now, name)) for then, now in pairs for name in DATA]
    if any(None not in pair and pair[0] != pair[1] for pair in digests):
        return "the data have changed"
    is_known = all(None not in pair for pair in digests) and all(c.sources for c, _ in pairs)
    return "" if is_known else None


def _is_other_config(then: PlannedCell, now: PlannedCell) -> bool:
    """Whether a value differs. A parameter that is newer than the launch is no changed default."""
    if then.config is None or now.config is None or then.config == now.config:
        return False
    return any(config_differences(json.loads(then.config), json.loads(now.config)))


def _changed_code(then: PlannedCell, now: PlannedCell) -> Iterator[str]:
    if then.sources is not None and now.sources is not None and then.sources != now.sources:
        yield from (component for component, _, _ in changed_sources(then.sources, now.sources))
