"""Verbs that look at a study and run it: plan, launch, status."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from orchestrator.cli.app import BUSY, DAMAGED, DONE, INCOMPLETE, SIGNALLED, app
from orchestrator.cli.options import (
    RESULTS,
    Address,
    Audit,
    Budget,
    CheckpointSeconds,
    DataRoot,
    ExistingStore,
    Join,
    JsonEvents,
    Overrides,
    Probe,
    Smoke,
    StoreRoot,
    Strict,
    StudyNames,
    StudyPath,
    Wait,
    WorkingDir,
)
from orchestrator.cli.output import (
    ReportFormat,
    one_line_errors,
    reading,
    show,
    show_report,
    write_report_files,
)

if TYPE_CHECKING:
    from orchestrator.inspection.asked import AskedStudy
    from orchestrator.study.cell import Cell
    from storage.store import Pace, Store


@app.command(epilog="Example: orchestrator plan studies/quickstart.yaml seeds=5")
def plan(
    study: StudyPath,
    overrides: Overrides = None,
    store: StoreRoot = RESULTS,
    probe: Probe = False,
    data_root: DataRoot = None,
    smoke: Smoke = False,
) -> None:
    """Show which cells are new, done, failed, stale, skipped or pending, and why. Runs nothing.

    The time they need is judged by what the store knows of cells of the same kind, and with
    `--probe` by a few steps of every other kind.
    """
    from orchestrator.cli.summary import plan_lines
    from orchestrator.plan.data_check import check_datasets
    from orchestrator.plan.expectations import Expectations
    from orchestrator.plan.forecast import forecast, forecast_lines
    from orchestrator.plan.open import open_study, plan_study
    from orchestrator.plan.provenance import code_version
    from orchestrator.study.text import StudyError
    from trainables.datasets import DatasetError, default_data_root

    root = data_root or default_data_root()
    with reading(store) as results, one_line_errors(StudyError, DatasetError):
        opened = open_study(study, overrides or (), smoke=smoke)
        planned = plan_study(opened, results, Expectations(root, code_version().edited)).plan
        check_datasets(planned.cells, root, only_own=True)
    show(plan_lines(planned))
    paces = results.paces()
    expected = forecast(planned.due, paces)
    if probe:
        first = [cells[0] for cells in expected.unknown]
        found = probe_kinds(first, data_root, opened.study.resources.cpus_per_trial)
        device = found[0].device if found else expected.device
        expected = forecast(planned.due, [*paces, *found], device)
    show(forecast_lines(expected))


def probe_kinds(cells: Sequence[Cell], data_root: Path | None, threads: int) -> list[Pace]:
    """The pace of each of `cells`, told as it goes on."""
    from orchestrator.plan.pace_probe import probe
    from trainables.datasets import default_data_root

    return probe(cells, data_root or default_data_root(), threads, typer.echo)


@app.command(epilog="Example: orchestrator launch studies/quickstart.yaml --store results")
def launch(
    study: StudyPath,
    overrides: Overrides = None,
    store: StoreRoot = RESULTS,
    data_root: DataRoot = None,
    address: Address = None,
    checkpoint_seconds: CheckpointSeconds = 60.0,
    budget: Budget = None,
    wait: Wait = False,
    join: Join = False,
    working_dir: WorkingDir = None,
    json_events: JsonEvents = None,
    strict: Strict = False,
    smoke: Smoke = False,
    audit: Audit = None,
) -> None:
    """Run the cells that the store lacks, then show the tables.

    The same command starts, resumes and extends a study. Ctrl-C once lets running cells write a
    checkpoint, twice stops at once; nothing that is done is lost either way.
    """
    from rich.console import Console

    from orchestrator.cli.summary import Typed, launch_lines
    from orchestrator.guard.lease import LeaseHeldError
    from orchestrator.guard.signals import StopAtOnce
    from orchestrator.guard.typed import resumes
    from orchestrator.inspection.asked import launched_study
    from orchestrator.plan.open import open_study
    from orchestrator.progress import SharedProgress
    from orchestrator.progress.console import console_progress
    from orchestrator.progress.event_log import EventLog, EventLogError
    from orchestrator.study.text import StudyError
    from orchestrator.sweep.errors import ClusterLostError, ExecutorError
    from orchestrator.sweep.launch import LaunchOptions
    from orchestrator.sweep.launch import launch as run_launch
    from storage import Store
    from storage.durable import LandingError
    from trainables.datasets import DatasetError, default_data_root

    options = LaunchOptions(
        store,
        data_root or default_data_root(),
        address,
        checkpoint_seconds,
        budget,
        "join" if join else "wait" if wait else "refuse",
        working_dir,
        strict,
    )
    console = console_progress(Console())
    with one_line_errors(StudyError, ExecutorError, DatasetError, LandingError, EventLogError):
        opened = open_study(study, overrides or (), smoke=smoke)
        events = [EventLog(json_events)] if json_events else []
        try:
            with SharedProgress([console, *events]) as progress:
                ended = run_launch(opened, options, progress)
        except LeaseHeldError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(BUSY) from None
        except ClusterLostError as error:
            typer.echo(f"error: {resumes(str(error))}", err=True)
            raise typer.Exit(INCOMPLETE) from None
        except StopAtOnce as stop:
            show([resumes("stopped at once")])
            raise typer.Exit(SIGNALLED + stop.number) from None
    if ended.signal is not None:
        show([resumes("stopped")])
        raise typer.Exit(SIGNALLED + ended.signal)
    results = Store(store)
    asked = launched_study(opened.study.name, results)
    show_report(asked, results, ReportFormat.TERMINAL)
    pages = write_report_files(asked, results)
    typed = Typed(study, tuple(overrides or ()), store, data_root, smoke)
    show(launch_lines(ended, typed, pages))
    if audit and not spot_check(audit, asked, results, options.data_root):
        raise typer.Exit(DAMAGED)
    raise typer.Exit(DONE if ended.plan.is_complete else INCOMPLETE)


def spot_check(share: float, asked: AskedStudy, store: Store, data_root: Path) -> bool:
    """Replay a share of a study's results. False if one of them came out otherwise."""
    from orchestrator.inspection.audit import audit, audit_lines, chosen
    from orchestrator.inspection.redo import answers
    from orchestrator.inspection.replay import name_of

    results = answers(asked.record.planned, store.known)
    names = [name_of(result.key, result.edition) for result in results]
    if not names:
        return True
    found = audit(chosen(names, share, asked.record.launch), store.root, data_root, typer.echo)
    show(audit_lines(found, len(names)))
    return not found.differing


@app.command(epilog="Example: orchestrator status quickstart")
def status(
    study: StudyNames = None, store: ExistingStore = RESULTS, data_root: DataRoot = None
) -> None:
    """Show how far studies are, what failed and what is missing.

    A file is judged as it stands now, a name as it was last launched, and NAME@1 as its version 1
    was, counted from 0.
    """
    from orchestrator.cli.summary import status_lines
    from orchestrator.inspection.asked import AskedError, asked_study
    from orchestrator.study.text import StudyError
    from storage.reporting.report import StudyNotFoundError
    from trainables.datasets import default_data_root

    root, kinds = data_root or default_data_root(), (AskedError, StudyError, StudyNotFoundError)
    with reading(store, is_told_otherwise=True) as results, one_line_errors(*kinds):
        names = study or results.studies()
        show(status_lines(results, [asked_study(name, (), results, root) for name in names]))
