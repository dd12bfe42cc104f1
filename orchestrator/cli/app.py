"""The application that the verbs belong to."""

from __future__ import annotations

import typer

from orchestrator.exit_codes import BAD_INPUT, BUSY, DAMAGED, DONE, INCOMPLETE, SIGNALLED

__all__ = ["BAD_INPUT", "BUSY", "DAMAGED", "DONE", "INCOMPLETE", "SIGNALLED", "app"]

app = typer.Typer(
    name="orchestrator",
    help="Run noisy-label studies as Ray Tune trials and turn them into tables you can defend.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
