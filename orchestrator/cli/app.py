"""The application that the verbs belong to, and its exit codes."""

from __future__ import annotations

import typer

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
