"""The command line: verbs, help texts, exit codes. No logic lives here.

Exit codes: 0 done, 2 bad input, 3 finished with failed or missing cells, 4 damaged store,
130/143 stopped by a signal and resumable. Heavy imports happen inside the verbs, so that `sql`,
`status` and `report` start without torch or Ray.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

DONE, BAD_INPUT, INCOMPLETE, DAMAGED = 0, 2, 3, 4
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
StudyName = Annotated[
    str, typer.Argument(help="Name of a launched study, or its file; all studies if left out.")
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
Smoke = Annotated[
    bool,
    typer.Option("--smoke", help="Tiny synthetic data, one seed, two epochs: does it run at all?"),
]
RESULTS = Path("results")


class Format(StrEnum):
    """How an answer is printed."""

    TABLE = "table"
    MARKDOWN = "markdown"
    LATEX = "latex"
    CSV = "csv"
    JSON = "json"
    HTML = "html"


def main() -> None:
    """Entry point of `orchestrator` and `python -m orchestrator`."""
    sys.path.insert(0, str(Path.cwd()))  # plug-ins named by import path may lie beside the study
    app()


@contextmanager
def one_line_errors(*kinds: type[Exception]) -> Iterator[None]:
    """Errors of the named kinds become one line on standard error and exit code 2."""
    try:
        yield
    except kinds as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(BAD_INPUT) from None
