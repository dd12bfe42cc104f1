"""A study and its picks → the rows that the store keeps of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.plan.open import OpenedStudy, Picks
from orchestrator.plan.provenance import CodeVersion
from orchestrator.study.grid import display
from orchestrator.study.model import Study
from storage.attempt import PickRecord, PlannedCell, StudyRecord, StudyVersion
from storage.reporting.spec import STEPS, FigureSpec
from trainables.config import Choice
from trainables.datasets import dataset_info


def study_record(
    opened: OpenedStudy, planned: Sequence[PlannedCell], launch_id: str, code: CodeVersion
) -> StudyRecord:
    """A study with all its cells, as a launch found it or as its file says now."""
    study, source = opened.study, opened.source
    return StudyRecord(
        name=study.name,
        title=study.title,
        source_path=str(source.path),
        source_sha256=source.sha256,
        source_text=source.text,
        overrides=opened.overrides,
        tables=study.tables,
        planned=tuple(planned),
        launch=launch_id,
        recorded_at=datetime.now(UTC),
        code_version=code.commit,
        figures=_counted(study.figures, planned),
    )


def moved_note(versions: Sequence[StudyVersion], record: StudyRecord) -> str | None:
    """A line if a study of this name was last recorded from another file with another text.

    The same text elsewhere, or the same file named from another folder, is the same study.
    """
    if not versions or versions[-1].source_sha256 == record.source_sha256:
        return None
    former = versions[-1].source_path
    if Path(former).resolve() == Path(record.source_path).resolve():
        return None
    return f"study '{record.name}' was last recorded from {former}; both stay in the history"


def _counted(
    figures: Mapping[str, FigureSpec], planned: Sequence[PlannedCell]
) -> dict[str, FigureSpec]:
    """The figures, with the training images that their steps are counted from."""
    if not any(spec.x == STEPS for spec in figures.values()):
        return dict(figures)
    known = _train_images(planned)
    return {
        name: spec.model_copy(update={"train_images": {**known, **spec.train_images}})
        if spec.x == STEPS
        else spec
        for name, spec in figures.items()
    }


def _train_images(planned: Sequence[PlannedCell]) -> dict[str, int]:
    """Data set → its training images, as far as they are known without its files."""
    datasets = {
        json.dumps(json.loads(cell.config)["dataset"], sort_keys=True)
        for cell in planned
        if cell.config is not None
    }
    counts: dict[str, set[int | None]] = {}
    for dataset in map(json.loads, sorted(datasets)):
        name = dataset.pop("name")
        info = dataset_info(Choice.of(name, dataset))
        counts.setdefault(name, set()).add(info.num_train)
    # Two forms of one data set may have other numbers of images; then the name says nothing.
    only = {name: found.pop() for name, found in counts.items() if len(found) == 1}
    return {name: number for name, number in only.items() if number is not None}


def pick_records(study: Study, picks: Picks) -> list[PickRecord]:
    """What was picked so far, and how firmly."""
    now = datetime.now(UTC)
    return [
        PickRecord(
            study=study.name,
            phase=phase,
            pick=name,
            group=pick.group,
            field=pick.field,
            value=display(pick.value),
            score=pick.score,
            runner_up=None if pick.runner_up is None else display(pick.runner_up),
            runner_up_score=pick.runner_up_score,
            num_seeds=pick.num_seeds,
            is_tie=pick.is_tie,
            at_edge=pick.at_edge,
            changed_share=pick.changed_share,
            rule=pick.rule,
            picked_at=now,
            metric=pick.metric,
        )
        for (phase, name), made in picks.items()
        for pick in made
    ]
