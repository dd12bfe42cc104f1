"""The sweep: expand the study, subtract what the store has, run the rest, pick, go on.

The same call starts, resumes and extends a study; the store alone says what is done. Knows no Ray:
running cells is the executor's part, imported only when there is something to run.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from orchestrator.guard.drain import Drain
from orchestrator.guard.lease import hold
from orchestrator.plan.data_check import check_datasets
from orchestrator.plan.expectations import Expectations
from orchestrator.plan.forecast import forecast, forecast_lines
from orchestrator.plan.open import OpenedStudy, Picks, decide, plan_cells, plan_study
from orchestrator.plan.plan import Plan
from orchestrator.plan.provenance import CodeVersion, code_version, package_versions
from orchestrator.plan.records import moved_note, pick_records, study_record
from orchestrator.plan.stacks import form_stacks, order_trials
from orchestrator.progress import Progress
from orchestrator.study.cell import Cell
from orchestrator.study.text import Source
from orchestrator.study.tracker_names import check_trackers
from orchestrator.sweep.errors import ExecutorError
from storage.landing import land_picks, land_study
from storage.probe import check_folder, check_location
from storage.store import Store

if TYPE_CHECKING:
    from orchestrator.sweep.attempt import LaunchSettings, Task
    from orchestrator.sweep.hosted import HostedExecutor

MOST_REPORTS = 100
"""A second, of all trials together: each costs the driver about half a millisecond, so a thousand
trials that report every second would take half of its time."""


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


def launch(opened: OpenedStudy, options: LaunchOptions, progress: Progress) -> LaunchReport:
    """Run what the store lacks, phase after phase.

    Raises:
        StudyError, ExecutorError, DatasetError, LandingError, LeaseHeldError.
    """
    launch_id = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
    scratch = options.store / ".launches" / launch_id
    drain = Drain(scratch / "drain", progress.note)
    code = code_version()
    expectations = Expectations(options.data_root, code.edited, of_all_data=True)
    picks: Picks = {}
    num_due = 0
    check_trackers(opened.study, opened.source)
    with ExitStack() as stack:
        check_location(options.store)
        stack.enter_context(_lease(opened, options, progress))
        stack.callback(shutil.rmtree, scratch, ignore_errors=True)
        stack.enter_context(drain.on_signals())
        stack.enter_context(drain.after(options.budget_seconds))
        executor: HostedExecutor | None = None
        for name, phase in opened.study.stages.items():
            store = Store(options.store)
            for damage in store.damaged:
                progress.note(f"damaged: {damage}")
            plan = plan_cells(opened, picks, store, expectations)
            due = order_trials(plan.to_run(name))
            check_datasets(plan.cells, options.data_root, only_own=True)
            check_datasets(due, options.data_root)
            # With the picks of later phases that are known, or each launch would add a version.
            whole = plan_study(opened, store, expectations).plan
            record = study_record(opened, whole.planned, launch_id, code)
            if moved := moved_note(store.study_versions(record.name), record):
                progress.note(moved)
            land_study(options.store, record)
            due = due[::-1] if options.beside == "join" else due
            num_due += len(due)
            to_run = {cell.key: cell.config.epochs for cell in due}
            progress.begin_phase(name, plan.num_done(name), to_run)
            if due:
                if executor is None:
                    executor = stack.enter_context(_executor(opened, options, drain, progress))
                if drain.is_set:  # while the cluster was still starting
                    break
                settings = _settings(opened, options, launch_id, drain, code, executor)
                expected = forecast(due, Store(options.store).paces())
                for line in forecast_lines(expected, executor.slots):
                    progress.note(line)
                _check_precision(opened.source, due, settings.device)
                size = opened.study.resources.stack_size(settings.device)
                stacks = form_stacks(due, size, executor.slots)
                tasks = [tuple(_task(cell, plan) for cell in stack) for stack in stacks]
                executor.run(tasks, settings, progress)
            if drain.is_set:
                break
            if phase.pick:
                store = Store(options.store)
                plan = plan_cells(opened, picks, store, expectations)
                picks |= decide(name, phase, plan, store)
                land_picks(options.store, opened.study.name, pick_records(opened.study, picks))
    is_budget_spent = drain.is_set and drain.signal is None
    after = plan_study(opened, Store(options.store), expectations).plan
    return LaunchReport(after, num_due, drain.signal, is_budget_spent)


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


@contextmanager
def _executor(
    opened: OpenedStudy, options: LaunchOptions, drain: Drain, progress: Progress
) -> Iterator[HostedExecutor]:
    """The cluster, once the store has shown that it keeps what is written there."""
    from orchestrator.sweep.hosted import HostedExecutor
    from orchestrator.sweep.reach import check_speaks
    from orchestrator.sweep.wire import Order

    address = None if options.address == "local" else options.address
    if address and address != "auto":
        check_speaks(address)  # before Ray is imported, so that the answer comes at once
    probe = check_folder(options.store)
    order = Order(
        address=address,
        resources=opened.study.resources,
        scratch=drain.file.parent.resolve(),
        working_dir=options.working_dir and options.working_dir.resolve(),
        probe=probe.resolve(),
        drain_file=drain.file.resolve(),
        store=options.store.resolve(),
        study=opened.study.name,
        trackers=tuple(opened.study.trackers),
    )
    try:
        with HostedExecutor(order, drain, progress) as executor:
            if executor.facts.is_open_to_anybody:
                warning = "this cluster runs code for anybody who can reach it: RAY_AUTH_MODE=token"
                if options.is_strict:
                    raise ExecutorError(warning)
                progress.note(f"warning: {warning}")
            yield executor
    finally:
        with suppress(OSError):  # of a store that can no longer be written
            probe.unlink(missing_ok=True)


def _settings(
    opened: OpenedStudy,
    options: LaunchOptions,
    launch_id: str,
    drain: Drain,
    code: CodeVersion,
    executor: HostedExecutor,
) -> LaunchSettings:
    from orchestrator.sweep.attempt import LaunchSettings

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
        edited=tuple(sorted(code.edited)),
        packages=package_versions(),
        drain_file=str(drain.file.resolve()),
        report_seconds=max(1.0, executor.slots / MOST_REPORTS),
    )


def _check_precision(source: Source, due: Sequence[Cell], device: str) -> None:
    """Before any cell runs: TF32 needs a GPU. Raises StudyError."""
    if device == "cpu" and any(cell.config.precision == "tf32" for cell in due):
        raise source.error("tf32 needs a GPU; here are none", ("cell", "precision"))


def _task(cell: Cell, plan: Plan) -> Task:
    from orchestrator.sweep.attempt import Task

    return Task(
        cell.key,
        cell.base_key,
        cell.identity,
        cell.revisions,
        cell.config.to_dict(),
        plan.editions.get(cell.key, 0),
    )
