"""The sweep: expand the study, subtract what the store has, run the rest, pick, go on.

The same call starts, resumes and extends a study; the store alone says what is done. Knows no Ray:
running cells is the executor's part, imported only when there is something to run.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from orchestrator.cell import Cell, StudyCell
from orchestrator.drain import Drain
from orchestrator.errors import ExecutorError
from orchestrator.forecast import forecast, forecast_lines
from orchestrator.grid import display, expand
from orchestrator.lease import hold
from orchestrator.packing import form_stacks, order_trials
from orchestrator.phases import Pick, pick_values
from orchestrator.plan import Plan, make_plan
from orchestrator.progress import Progress, SharedProgress
from orchestrator.provenance import CodeVersion, code_version, package_versions
from orchestrator.source import Source, load_source
from orchestrator.study import Phase, Study, parse_study, smoke_form
from orchestrator.trackers import make_trackers
from storage.attempt import PickRecord, PlannedCell, StudyRecord
from storage.landing import land_picks, land_study
from storage.probe import check_folder, check_location
from storage.store import Store
from trainables import catalog

if TYPE_CHECKING:
    from orchestrator.attempts import LaunchSettings, Task
    from orchestrator.executor import Executor

Picks = dict[tuple[str, str], tuple[Pick, ...]]
"""(phase, name of the pick) → one pick per group."""


@dataclass(frozen=True)
class OpenedStudy:
    """A study with the text it came from."""

    study: Study
    source: Source
    overrides: tuple[str, ...] = ()
    is_smoke: bool = False

    def expand(self, picks: Picks) -> tuple[StudyCell, ...]:
        """Its cells, as far as the picks are known. Raises StudyError."""
        return expand(self.study, self.source, catalog, picks, smoke=self.is_smoke)


@dataclass(frozen=True)
class LaunchOptions:
    """How a launch runs; none of it can move a number.

    Args:
        store: root folder of the store.
        data_root: folder of the data sets.
        address: of a running Ray cluster; None starts a private one.
        checkpoint_seconds: time between mid-cell checkpoints.
        budget_seconds: wall time after which running cells write a checkpoint and the launch ends;
            None for no limit.
        beside: what to do while another launch of the study runs: refuse, wait for its end, or join
            it, from the far end of the list of cells.
        working_dir: folder with plug-ins that is sent to the workers of a joined cluster.
        is_strict: refuse a cluster that runs code for anybody who can reach it.
    """

    store: Path
    data_root: Path
    address: str | None = None
    checkpoint_seconds: float = 60.0
    budget_seconds: float | None = None
    beside: Literal["refuse", "wait", "join"] = "refuse"
    working_dir: Path | None = None
    is_strict: bool = False


@dataclass(frozen=True)
class LaunchReport:
    """How a launch ended.

    Args:
        plan: the study against the store, after the launch.
        num_due: cells that were due in it.
        signal: number of the signal that stopped it, None if none did.
        is_budget_spent: whether it ended because its time was over.
    """

    plan: Plan
    num_due: int
    signal: int | None
    is_budget_spent: bool


def open_study(path: Path, overrides: Sequence[str] = (), *, smoke: bool = False) -> OpenedStudy:
    """Read and check a study file. Raises StudyError."""
    source = load_source(path, overrides)
    study = parse_study(source)
    return OpenedStudy(smoke_form(study) if smoke else study, source, tuple(overrides), smoke)


def plan_study(opened: OpenedStudy, store_root: Path) -> Plan:
    """The study against the store. Raises StudyError."""
    store = Store(store_root)
    picks: Picks = {}
    for name, phase in opened.study.stages.items():
        if phase.pick:
            picks |= _decide(name, phase, opened.expand(picks), store)
    return make_plan(opened.expand(picks), store.states())


def launch(opened: OpenedStudy, options: LaunchOptions, progress: Progress) -> LaunchReport:
    """Run what the store lacks, phase after phase.

    Raises:
        StudyError, ExecutorError, LandingError, LeaseHeldError.
    """
    launch_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
    scratch = options.store / ".launches" / launch_id
    drain = Drain(scratch / "drain", progress.note)
    code = code_version()
    picks: Picks = {}
    num_due = 0
    trackers = make_trackers(opened.study, opened.source, options.store, progress.note)
    listeners = SharedProgress([progress, *trackers])
    with ExitStack() as stack:
        check_location(options.store)
        stack.enter_context(_lease(opened, options, progress))
        stack.enter_context(drain.on_signals())
        stack.enter_context(drain.after(options.budget_seconds))
        executor: Executor | None = None
        for name, phase in opened.study.stages.items():
            cells = opened.expand(picks)
            plan = make_plan(cells, Store(options.store).states())
            land_study(options.store, study_record(opened, cells, launch_id, code))
            due = order_trials(plan.to_run(name))
            due = due[::-1] if options.beside == "join" else due
            num_due += len(due)
            to_run = {cell.key: cell.config.epochs for cell in due}
            progress.begin_phase(name, plan.num_done(name), to_run)
            if due:
                executor = executor or _start(stack, opened, options, scratch, progress, trackers)
                settings = _settings(opened, options, launch_id, drain, code, executor)
                expected = forecast(due, Store(options.store).paces())
                for line in forecast_lines(expected, executor.slots):
                    progress.note(line)
                _check_precision(opened.source, due, settings.device)
                size = opened.study.resources.stack_size(settings.device)
                stacks = form_stacks(due, size, executor.slots)
                tasks = [tuple(_task(cell) for cell in stack) for stack in stacks]
                executor.run(tasks, settings, listeners, drain)
            if drain.is_set:
                break
            if phase.pick:
                picks |= _decide(name, phase, cells, Store(options.store))
                land_picks(options.store, opened.study.name, _pick_records(opened.study, picks))
    is_budget_spent = drain.is_set and drain.signal is None
    return LaunchReport(plan_study(opened, options.store), num_due, drain.signal, is_budget_spent)


def _lease(
    opened: OpenedStudy, options: LaunchOptions, progress: Progress
) -> AbstractContextManager[None]:
    """One launch of a study at a time, unless it is asked to join."""
    if options.beside == "join":
        return nullcontext()
    return hold(
        options.store,
        opened.study.name,
        wait=options.beside == "wait",
        on_wait=lambda holder: progress.note(f"waiting for {holder}"),
    )


def _start(
    stack: ExitStack,
    opened: OpenedStudy,
    options: LaunchOptions,
    scratch: Path,
    progress: Progress,
    trackers: Sequence[Progress],
) -> Executor:
    """The executor, until the launch ends; trackers, which may need Ray, end before it."""
    executor = stack.enter_context(_executor(opened, options, scratch, progress))
    for tracker in trackers:
        stack.enter_context(tracker)
    return executor


@contextmanager
def _executor(
    opened: OpenedStudy, options: LaunchOptions, scratch: Path, progress: Progress
) -> Iterator[Executor]:
    """The cluster, once the store has shown that it keeps what is written there."""
    from orchestrator.executor import Executor

    probe = check_folder(options.store)
    try:
        resources = opened.study.resources
        with Executor(options.address, resources, scratch, options.working_dir) as executor:
            if executor.is_open_to_anybody:
                warning = "this cluster runs code for anybody who can reach it: RAY_AUTH_MODE=token"
                if options.is_strict:
                    raise ExecutorError(warning)
                progress.note(f"warning: {warning}")
            executor.check_visible(probe.resolve())
            yield executor
    finally:
        probe.unlink(missing_ok=True)


def _settings(
    opened: OpenedStudy,
    options: LaunchOptions,
    launch_id: str,
    drain: Drain,
    code: CodeVersion,
    executor: Executor,
) -> LaunchSettings:
    from orchestrator.attempts import LaunchSettings

    return LaunchSettings(
        store=str(options.store.resolve()),
        data_root=str(options.data_root.resolve()),
        study=opened.study.name,
        launch=launch_id,
        threads=opened.study.resources.cpus_per_trial,
        device="cuda" if executor.gpus_per_trial else "cpu",
        checkpoint_seconds=options.checkpoint_seconds,
        code_version=code.commit,
        code_dirty=code.is_dirty,
        packages=package_versions(),
        drain_file=str(drain.file.resolve()),
    )


def _check_precision(source: Source, due: Sequence[Cell], device: str) -> None:
    """Before any cell runs: TF32 needs a GPU. Raises StudyError."""
    if device == "cpu" and any(cell.config.precision == "tf32" for cell in due):
        raise source.error("tf32 needs a GPU; here are none", ("cell", "precision"))


def _task(cell: Cell) -> Task:
    from orchestrator.attempts import Task

    return Task(cell.key, cell.base_key, cell.revisions, cell.config.to_dict())


def _decide(name: str, phase: Phase, cells: Sequence[StudyCell], store: Store) -> Picks:
    """The picks of a phase, for those groups whose cells all have results."""
    keys = [entry.cell.key for entry in cells if entry.phase == name and entry.cell]
    return {
        (name, pick): pick_values(name, rule, cells, store.curves(keys, rule.metric))
        for pick, rule in phase.pick.items()
    }


def study_record(
    opened: OpenedStudy, cells: Sequence[StudyCell], launch_id: str, code: CodeVersion
) -> StudyRecord:
    study, source = opened.study, opened.source
    return StudyRecord(
        name=study.name,
        title=study.title,
        source_path=str(source.path),
        source_sha256=source.sha256,
        source_text=source.text,
        overrides=opened.overrides,
        tables=study.tables,
        planned=tuple(_planned_cell(study, entry) for entry in cells),
        launch=launch_id,
        recorded_at=datetime.now(UTC),
        code_version=code.commit,
    )


def _planned_cell(study: Study, entry: StudyCell) -> PlannedCell:
    cell = entry.cell
    return PlannedCell(
        study=study.name,
        phase=entry.phase,
        position=entry.position,
        key=cell.key if cell else None,
        base_key=cell.base_key if cell else None,
        seed=entry.seed,
        axes=entry.axes,
        config=json.dumps(cell.config.to_dict(), sort_keys=True) if cell else None,
        skipped=entry.skipped,
    )


def _pick_records(study: Study, picks: Picks) -> list[PickRecord]:
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
        )
        for (phase, name), made in picks.items()
        for pick in made
    ]
