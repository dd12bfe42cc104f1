"""Verbs that need no training: calibrate, check-loss, check-architecture, theory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli.app import BAD_INPUT, app
from orchestrator.cli.options import PlotPath, Settings
from orchestrator.cli.output import one_line_errors, show

if TYPE_CHECKING:
    from storage.reporting.figures.picture import Picture


@app.command(
    epilog="Example: orchestrator calibrate --loss gce --from-classes 100 --to-classes 1000"
)
def calibrate(
    loss: Annotated[str, typer.Option(help="Loss whose parameter is wanted.")],
    from_classes: Annotated[int, typer.Option(help="Class count it is known for.", min=2)],
    to_classes: Annotated[int, typer.Option(help="Class count it is wanted for.", min=2)],
    parameter: Annotated[
        list[str] | None,
        typer.Option(
            help="Which one, if the loss has several. Named twice or three times, of all solutions "
            "that with the smallest peak is taken."
        ),
    ] = None,
    settings: Settings = None,
    fixed: Annotated[
        list[str] | None,
        typer.Option("--fix", help="name=value, another parameter, changed at the wanted count."),
    ] = None,
    plot: PlotPath = None,
) -> None:
    """Find the parameter with which learning starts as at another class count. Trains nothing."""
    from orchestrator.cli.theory_text import calibration_lines, calibration_of
    from orchestrator.study.text import StudyError, read_settings
    from trainables.registry import ComponentError

    with one_line_errors(ComponentError, StudyError):
        given, changed = read_settings(settings or ()), read_settings(fixed or ())
        found = calibration_of(loss, from_classes, to_classes, parameter or (), given, changed)
    show(calibration_lines(found))
    if plot:
        from orchestrator.figures.error_panels import calibration_picture

        _write_picture(plot, calibration_picture(found))


@app.command("check-loss", epilog="Example: orchestrator check-loss my_loss.py --set p=3")
def check_loss(
    loss: Annotated[str, typer.Argument(help="A file, an import path, or a built-in loss.")],
    settings: Settings = None,
    plot: PlotPath = None,
) -> None:
    """Try what every loss must do, and compare its first pull with CE and MAE."""
    from orchestrator.cli.theory_text import check_lines, component_name, described
    from orchestrator.study.text import StudyError, read_settings
    from trainables.config import Choice
    from trainables.losses import build_loss
    from trainables.registry import ComponentError
    from trainables.theory.loss_contract import before_import
    from trainables.theory.loss_contract import check_loss as check

    with one_line_errors(ComponentError, StudyError), before_import() as before:
        choice = Choice.of(component_name(loss), read_settings(settings or ()))
        findings = check(build_loss(choice, num_classes=10), before)
    show(check_lines(choice, findings))
    if plot:
        from orchestrator.figures.error_panels import loss_picture

        _write_picture(plot, loss_picture(described(choice), choice))
    if any(finding.passed is False for finding in findings):
        raise typer.Exit(BAD_INPUT)


@app.command(
    "check-architecture",
    epilog="Example: orchestrator check-architecture my_network.py --set width=64",
)
def check_architecture(
    architecture: Annotated[
        str, typer.Argument(help="A file, an import path, or a built-in architecture.")
    ],
    settings: Settings = None,
) -> None:
    """Try what every network architecture must do. Trains nothing."""
    from orchestrator.cli.theory_text import component_name, described, finding_lines
    from orchestrator.study.text import StudyError, read_settings
    from trainables.architectures import ARCHITECTURES
    from trainables.config import Choice
    from trainables.registry import ComponentError
    from trainables.theory.architecture_contract import check_architecture as check
    from trainables.theory.loss_contract import before_import

    with one_line_errors(ComponentError, StudyError), before_import() as before:
        choice = Choice.of(component_name(architecture), read_settings(settings or ()))
        findings = check(ARCHITECTURES.build(choice), before)
    show([described(ARCHITECTURES.resolve(choice)), "", *finding_lines(findings)])
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
    from orchestrator.cli.theory_text import theory_lines

    counts = classes or [10, 100, 1000]
    show(theory_lines(counts))
    if plot:
        from orchestrator.figures.error_panels import theory_picture

        _write_picture(plot, theory_picture(counts))


def _write_picture(path: Path, picture: Picture) -> None:
    from storage.durable import LandingError
    from storage.reporting.images import ImageError
    from storage.reporting.picture_files import UnknownFormatError, write_picture

    with one_line_errors(UnknownFormatError, ImageError, LandingError):
        write_picture(picture, path)
    show([f"written: {path}"])
