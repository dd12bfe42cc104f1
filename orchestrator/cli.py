"""The command line: verbs, help texts, exit codes. No logic lives here.

Exit codes: 0 done, 2 bad input, 3 finished with failed or missing cells, 4 damaged store,
130/143 stopped by a signal and resumable. Heavy imports happen inside the verbs, so that `sql`,
`status` and `report` start without torch or Ray.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.durations import parse_seconds

if TYPE_CHECKING:
    from storage.reporting.figures.early_learning import ErrorCurve
    from storage.store import Store

DONE, BAD_INPUT, INCOMPLETE, DAMAGED, BUSY = 0, 2, 3, 4, 75
SIGNALLED = 128
"""Added to a signal's number, as shells do."""

app = typer.Typer(
    name="orchestrator",
    help="Run noisy-label studies as Ray Tune trials and turn them into tables you can defend.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

StudyPath = Annotated[Path, typer.Argument(help="Study file, such as studies/quickstart.yaml.")]
StudyName = Annotated[str, typer.Argument(help="Name of a launched study, or its file.")]
StudyNames = Annotated[
    list[str] | None, typer.Argument(help="Names of launched studies, or files; all if left out.")
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(help="key=value changes to the study, such as seeds=1 cell.epochs=2."),
]
StoreRoot = Annotated[
    Path, typer.Option("--store", help="Results store.", envvar="ORCHESTRATOR_STORE")
]
DataRoot = Annotated[
    Path | None,
    typer.Option("--data-root", help="Folder of the data sets.", envvar="ORCHESTRATOR_DATA"),
]
Address = Annotated[
    str | None,
    typer.Option(help="Ray cluster to join; without it a private one.", envvar="RAY_ADDRESS"),
]
CheckpointSeconds = Annotated[
    float, typer.Option(help="Time between the checkpoints of a running cell.", min=0.0)
]
Budget = Annotated[
    float | None,
    typer.Option(
        help="Wall time for this launch, such as 45m or 20h; then it stops, resumable.",
        parser=parse_seconds,
        metavar="TIME",
    ),
]
Wait = Annotated[
    bool, typer.Option("--wait", help="If another launch of this study runs, wait for its end.")
]
Join = Annotated[
    bool, typer.Option("--join", help="If another launch of this study runs, run cells beside it.")
]
WorkingDir = Annotated[
    Path | None,
    typer.Option(help="Folder with plug-ins to send to the workers of a cluster.", exists=True),
]
Smoke = Annotated[
    bool,
    typer.Option("--smoke", help="Tiny synthetic data, one seed, two epochs: does it run at all?"),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="name=value, a parameter of the loss; may be repeated."),
]
PlotPath = Annotated[
    Path | None, typer.Option("--plot", help="Write ⟨δ_k⟩(z_k) as an interactive figure (HTML).")
]
RESULTS = Path("results")


class ReportFormat(StrEnum):
    """How a report is written."""

    TERMINAL = "terminal"
    MARKDOWN = "markdown"
    LATEX = "latex"
    CSV = "csv"
    JSON = "json"
    HTML = "html"


class AnswerFormat(StrEnum):
    """How the answer to a query is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    MARKDOWN = "markdown"


def main() -> None:
    """Entry point of `orchestrator` and `python -m orchestrator`."""
    sys.path.insert(0, str(Path.cwd()))  # plug-ins named by import path may lie beside the study
    app()


@app.command(epilog="Example: orchestrator plan studies/quickstart.yaml seeds=5")
def plan(
    study: StudyPath,
    overrides: Overrides = None,
    store: StoreRoot = RESULTS,
    smoke: Smoke = False,
) -> None:
    """Show which cells are new, done, failed, stale, skipped or pending, and why. Runs nothing.

    The time they need is judged by what the store knows of cells of the same kind.
    """
    from orchestrator.forecast import forecast, forecast_lines
    from orchestrator.launch import open_study, plan_study
    from orchestrator.source import StudyError
    from orchestrator.summary import plan_lines
    from storage import Store

    with one_line_errors(StudyError):
        planned = plan_study(open_study(study, overrides or (), smoke=smoke), store)
    show(plan_lines(planned))
    show(forecast_lines(forecast(planned.due, Store(store).paces())))


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
    smoke: Smoke = False,
) -> None:
    """Run the cells that the store lacks, then show the tables.

    The same command starts, resumes and extends a study. Ctrl-C once lets running cells write a
    checkpoint, twice stops at once; nothing that is done is lost either way.
    """
    from rich.console import Console

    from orchestrator.errors import ExecutorError
    from orchestrator.launch import LaunchOptions, open_study
    from orchestrator.launch import launch as run_launch
    from orchestrator.lease import LeaseHeldError
    from orchestrator.progress import make_progress
    from orchestrator.source import StudyError
    from orchestrator.summary import launch_lines
    from storage.durable import LandingError
    from trainables.datasets import default_data_root

    options = LaunchOptions(
        store,
        data_root or default_data_root(),
        address,
        checkpoint_seconds,
        budget,
        "join" if join else "wait" if wait else "refuse",
        working_dir,
    )
    with one_line_errors(StudyError, ExecutorError, LandingError):
        opened = open_study(study, overrides or (), smoke=smoke)
        try:
            with make_progress(Console()) as progress:
                ended = run_launch(opened, options, progress)
        except LeaseHeldError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(BUSY) from None
        except KeyboardInterrupt:
            show(["stopped at once; the same command resumes"])
            raise typer.Exit(SIGNALLED + signal.SIGINT) from None
    if ended.signal is not None:
        show([f"stopped; the same command resumes: orchestrator launch {study}"])
        raise typer.Exit(SIGNALLED + ended.signal)
    _show_report(opened.study.name, store, ReportFormat.TERMINAL)
    pages = _write_reports(opened.study.name, store)
    show(launch_lines(ended, study, store, pages))
    raise typer.Exit(DONE if ended.plan.is_complete else INCOMPLETE)


@app.command(epilog="Example: orchestrator status quickstart")
def status(study: StudyNames = None, store: StoreRoot = RESULTS) -> None:
    """Show how far the launched studies are, what failed and what is missing."""
    from orchestrator.summary import status_lines
    from storage import Store
    from storage.reporting.report import StudyNotFoundError

    with one_line_errors(StudyNotFoundError):
        show(status_lines(Store(store), [study_name(name) for name in study or ()]))


@app.command(epilog="Example: orchestrator report quickstart --format markdown > table.md")
def report(
    study: StudyName,
    store: StoreRoot = RESULTS,
    format: Annotated[  # noqa: A002 - the option's name
        ReportFormat, typer.Option("--format", "-f", help="How the report is written.")
    ] = ReportFormat.TERMINAL,
    page: Annotated[
        bool, typer.Option("--page", help="Write Markdown and one interactive page to the store.")
    ] = False,
) -> None:
    """Write a study's tables: mean ± SEM, with marks for all that is missing or doubtful."""
    from storage.reporting.report import StudyNotFoundError

    with one_line_errors(StudyNotFoundError):
        name = study_name(study)
        if page:
            show([f"written: {path}" for path in _write_reports(name, store)])
        else:
            _show_report(name, store, format)


@app.command(
    epilog='Example: orchestrator sql "select loss, avg(test_accuracy) from cells group by 1"'
)
def sql(
    query: Annotated[
        str | None, typer.Argument(help="One SELECT over the views; see --schema.")
    ] = None,
    store: StoreRoot = RESULTS,
    format: Annotated[  # noqa: A002 - the option's name
        AnswerFormat, typer.Option("--format", "-f", help="How the answer is written.")
    ] = AnswerFormat.TABLE,
    as_csv: Annotated[bool, typer.Option("--csv", help="Short for --format csv.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Short for --format json.")] = False,
    parquet: Annotated[
        Path | None, typer.Option(help="Write the answer to this Parquet file instead.")
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds until the query is ended.")] = 60.0,
    schema: Annotated[
        bool, typer.Option("--schema", help="List the views and their columns.")
    ] = False,
) -> None:
    """Ask the store in SQL: read-only, without access to files or the network."""
    from storage import Store
    from storage import query as queries

    if schema or query is None:
        show([queries.schema_text()])
        return
    short = {AnswerFormat.CSV: as_csv, AnswerFormat.JSON: as_json}
    chosen = next((name for name, is_set in short.items() if is_set), format)
    writers = {
        AnswerFormat.TABLE: queries.to_table,
        AnswerFormat.CSV: queries.to_csv,
        AnswerFormat.JSON: queries.to_json,
        AnswerFormat.MARKDOWN: queries.to_markdown,
    }
    with one_line_errors(queries.QueryError):
        opened = Store(store)
        answer = queries.run_query(opened, query, timeout_seconds=timeout)
        if parquet:
            queries.write_parquet(answer, parquet)
        else:
            show([writers[chosen](answer).rstrip("\n")])
        warn_of_damage(opened)


@app.command(epilog="Example: orchestrator verify --store results")
def verify(store: StoreRoot = RESULTS) -> None:
    """Check every file of the store against its digest; exit code 4 if any is damaged."""
    from storage import Store

    opened = Store(store)
    damaged = opened.verify()
    warn_of_damage(opened)
    if damaged:
        raise typer.Exit(DAMAGED)
    show([f"{store}: every file is sound"])


@app.command("compact", epilog="Example: orchestrator compact --store results")
def compact_store(store: StoreRoot = RESULTS) -> None:
    """Gather the small files of single results into segments. A launch does it at its end."""
    from storage.compaction import compact

    done = compact(store)
    busy = "another compaction is running" if done.is_busy else "done"
    show([f"{busy}: {done.num_absorbed} files absorbed, {done.num_segments} segments live"])


@app.command(
    epilog="Example: orchestrator calibrate --loss gce --from-classes 100 --to-classes 1000"
)
def calibrate(
    loss: Annotated[str, typer.Option(help="Loss whose parameter is wanted.")],
    from_classes: Annotated[int, typer.Option(help="Class count it is known for.", min=2)],
    to_classes: Annotated[int, typer.Option(help="Class count it is wanted for.", min=2)],
    parameter: Annotated[
        str | None, typer.Option(help="Which one, if the loss has several.")
    ] = None,
    settings: Settings = None,
    fixed: Annotated[
        list[str] | None,
        typer.Option("--fix", help="name=value, another parameter, changed at the wanted count."),
    ] = None,
    plot: PlotPath = None,
) -> None:
    """Find the parameter with which learning starts as at another class count. Trains nothing."""
    from orchestrator.source import StudyError, read_settings
    from orchestrator.theory import calibration_curves, calibration_lines, calibration_of
    from trainables.registry import ComponentError

    with one_line_errors(ComponentError, StudyError):
        given, changed = read_settings(settings or ()), read_settings(fixed or ())
        found = calibration_of(loss, from_classes, to_classes, parameter, given, changed)
    show(calibration_lines(found))
    if plot:
        _write_figure(plot, calibration_curves(found))


@app.command("check-loss", epilog="Example: orchestrator check-loss my_loss.py --set p=3")
def check_loss(
    loss: Annotated[str, typer.Argument(help="A file, an import path, or a built-in loss.")],
    settings: Settings = None,
    plot: PlotPath = None,
) -> None:
    """Try what every loss must do, and compare its first pull with CE and MAE."""
    from orchestrator.source import StudyError, read_settings
    from orchestrator.theory import YARDSTICKS, check_lines, component_name, error_curve
    from trainables.config import Choice
    from trainables.contracts import check_loss as check
    from trainables.losses import build_loss
    from trainables.registry import ComponentError

    with one_line_errors(ComponentError, StudyError):
        choice = Choice.of(component_name(loss), read_settings(settings or ()))
        findings = check(build_loss(choice, num_classes=10))
    show(check_lines(choice, findings))
    if plot:
        compared = (choice, *map(Choice, YARDSTICKS))
        _write_figure(plot, [error_curve(one, k) for one in compared for k in (10, 1000)])
    if any(finding.passed is False for finding in findings):
        raise typer.Exit(BAD_INPUT)


@app.command(epilog="Example: orchestrator theory --classes 10 --classes 1000")
def theory(
    classes: Annotated[
        list[int] | None, typer.Option(help="Class counts; 10, 100 and 1000 if left out.", min=2)
    ] = None,
    plot: PlotPath = None,
) -> None:
    """Show the numbers that need no training: ε(K), ⟨δ_k⟩(0) of every loss, IMAE's variances."""
    from orchestrator.theory import error_curve, theory_lines
    from trainables.config import Choice
    from trainables.losses import LOSSES

    counts = classes or [10, 100, 1000]
    show(theory_lines(counts))
    if plot:
        losses = [Choice(name) for name in LOSSES.names()]
        _write_figure(plot, [error_curve(loss, k) for loss in losses for k in counts])


@contextmanager
def one_line_errors(*kinds: type[Exception]) -> Iterator[None]:
    """Errors of the named kinds become one line on standard error and exit code 2."""
    try:
        yield
    except kinds as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(BAD_INPUT) from None


def show(lines: Iterable[str]) -> None:
    """Lines on standard output."""
    for line in lines:
        typer.echo(line)


def warn_of_damage(store: Store) -> None:
    """One line on standard error for each file that was not served."""
    for file in store.damaged:
        kept = f"set aside as {file.moved_to}" if file.moved_to else "left where it is"
        typer.echo(f"warning: {file.path}: {file.reason}; {kept}, its cells are missing", err=True)


def study_name(given: str) -> str:
    """A study's name; a file's stem stands for it."""
    return Path(given).stem if given.endswith((".yaml", ".yml")) else given


def _show_report(name: str, root: Path, chosen: ReportFormat) -> None:
    from storage import Store
    from storage.reporting.render import RENDERERS, terminal
    from storage.reporting.report import build_report

    store = Store(root)
    built = build_report(store, name, _study_folder(store, name))
    if chosen is ReportFormat.TERMINAL:
        from rich.console import Console

        Console().print(terminal.render(built))
    else:
        show([RENDERERS[chosen](built).rstrip("\n")])


def _write_reports(name: str, root: Path) -> tuple[Path, Path]:
    from storage import Store
    from storage.reporting.publish import write_reports

    store = Store(root)
    return write_reports(store, name, _study_folder(store, name))


def _write_figure(path: Path, curves: list[ErrorCurve]) -> None:
    from storage.reporting.figures.early_learning import early_learning_figure

    early_learning_figure(curves).write_html(path, include_plotlyjs=True)
    show([f"written: {path}"])


def _study_folder(store: Store, name: str) -> Path:
    """Where the study's file lay at its launch; its published tables are found from there."""
    record = store.study(name)
    return Path(record.source_path).parent if record else Path()
