"""Arguments and options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.cli.app import BAD_INPUT
from orchestrator.cli.output import one_line_errors
from orchestrator.inspection.audit import parse_share
from orchestrator.progress.durations import parse_seconds


def _checked_location(store: Path) -> Path:
    """A folder that may still be made. Anything else ends the program."""
    from storage.durable import LandingError
    from storage.probe import check_location

    with one_line_errors(LandingError):
        check_location(store)
    return store


def checked_store(store: Path) -> Path:
    """A store that is there. Anything else ends the program."""
    from storage.durable import LandingError
    from storage.probe import check_store

    with one_line_errors(LandingError):
        check_store(store)
    return store


def no_address(given: Any) -> Any:
    """Whatever is given where a path belongs. An address ends the program."""
    from storage.probe import address_in

    for one in given if isinstance(given, list | tuple) else [given]:
        if isinstance(one, str | Path) and (address := address_in(one)):
            typer.echo(f"error: {address}: a path of this machine is needed, no address", err=True)
            raise typer.Exit(BAD_INPUT)
    return given


def _existing(folder: Path | None) -> Path | None:
    """A folder that is there, if one is given. Anything else ends the program."""
    no_address(folder)
    if folder is not None and not folder.is_dir():
        typer.echo(f"error: {folder}: there is no such folder", err=True)
        raise typer.Exit(BAD_INPUT)
    return folder


StudyPath = Annotated[
    Path, typer.Argument(help="Study file, such as studies/quickstart.yaml.", callback=no_address)
]
StudyName = Annotated[
    str, typer.Argument(help="Name of a launched study, or its file.", callback=no_address)
]
StudyNames = Annotated[
    list[str] | None,
    typer.Argument(
        help="Names of launched studies, or files; all if left out.", callback=no_address
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(help="key=value changes to the study, such as seeds=1 cell.epochs=2."),
]
StoreRoot = Annotated[
    Path,
    typer.Option(
        "--store", help="Results store.", envvar="ORCHESTRATOR_STORE", callback=_checked_location
    ),
]
ExistingStore = Annotated[
    Path,
    typer.Option(
        "--store", help="Results store.", envvar="ORCHESTRATOR_STORE", callback=checked_store
    ),
]
DataRoot = Annotated[
    Path | None,
    typer.Option(
        "--data-root",
        help="Folder of the data sets.",
        envvar="ORCHESTRATOR_DATA",
        callback=no_address,
    ),
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
Probe = Annotated[
    bool,
    typer.Option("--probe", help="Train a few steps of each kind of cell that never ran here."),
]
WorkingDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder with plug-ins to send to the workers of a cluster.",
        callback=_existing,
    ),
]
JsonEvents = Annotated[
    Path | None,
    typer.Option(
        "--json-events",
        help="Append what happens to this file, one JSON object a line.",
        callback=no_address,
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Refuse a cluster that runs code for anybody who asks.")
]
Audit = Annotated[
    float | None,
    typer.Option(
        help="Train this share of the study's results again, chosen by chance, and compare them.",
        parser=parse_share,
        metavar="SHARE",
    ),
]
Smoke = Annotated[
    bool,
    typer.Option("--smoke", help="Tiny synthetic data, one seed, two epochs: does it run at all?"),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="name=value, a parameter of the component; may be repeated."),
]
DataSettings = Annotated[
    list[str] | None,
    typer.Option("--set", help="name=value, a parameter of the data set; may be repeated."),
]
PlotPath = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        help="Write ⟨δ_k⟩(z_k) to a .html, .png, .svg, .pdf or .csv file.",
        callback=no_address,
    ),
]
RESULTS = Path("results")
