"""The command as it was typed, for every line that says how to go on."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path


def as_typed() -> str:
    """The present command line, ready to be pasted."""
    program = Path(sys.argv[0])
    words = ["python", "-m", "orchestrator"] if program.stem == "__main__" else [program.name]
    return shlex.join([*words, *sys.argv[1:]])


def resumes(what: str) -> str:
    """`what` happened, and how to go on."""
    return f"{what}; the same command resumes: {as_typed()}"
