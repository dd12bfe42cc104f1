"""The command line: verbs, help texts, exit codes. No logic lives here.

Exit codes: 0 done, 2 bad input, 3 finished with failed or missing cells, 4 damaged store or
conflicting results, 75 another launch is running, 129/130/143 stopped by a signal, resumable. Heavy
imports happen inside the verbs, so that `sql`, `status` and `report` start without torch or Ray.
"""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from orchestrator.cli import data, figures, launching, reporting, results, storing, theory
from orchestrator.cli.app import BAD_INPUT, app
from orchestrator.guard.refusals import refusal_line

__all__ = [
    "app",
    "data",
    "figures",
    "launching",
    "main",
    "reporting",
    "results",
    "storing",
    "theory",
]


def main() -> None:
    """Entry point of `orchestrator` and `python -m orchestrator`."""
    sys.path.insert(0, str(Path.cwd()))  # plug-ins named by import path may lie beside the study
    try:
        app()
    except Exception as error:
        line = refusal_line(error)
        if not line:
            raise
        typer.echo(f"error: {line}", err=True)
        sys.exit(BAD_INPUT)
