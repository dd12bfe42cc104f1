"""Where a number came from: code version and package versions, read once per launch.

Only an allow-list of facts is read; the environment and command lines are never recorded.
"""

from __future__ import annotations

import json
import platform
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

DISTRIBUTION = "noisy-label-orchestrator"
OWN = ("orchestrator", "trainables", "storage")
PACKAGES = ("torch", "torchvision", "numpy", "ray", "pyarrow", "duckdb")


@dataclass(frozen=True)
class CodeVersion:
    """The code that makes the numbers.

    Args:
        commit: git commit of the checkout, else the installed version.
        is_dirty: whether code of this project had uncommitted changes, new files included; None
            outside a checkout.
        edited: modules with such changes.
    """

    commit: str
    is_dirty: bool | None
    edited: frozenset[str] = frozenset()


def code_version() -> CodeVersion:
    """Version of the checkout this package runs from, or of the installed distribution."""
    root = Path(__file__).resolve().parents[2]
    head = _git(root, "rev-parse", "HEAD") if (root / ".git").exists() else None
    if head is None:
        return CodeVersion(_installed_version(DISTRIBUTION) or "unknown", None)
    commit = head.strip()
    changes = _git(root, "status", "--porcelain", "--untracked-files=all", "-z", "--", *OWN)
    if changes is None:
        return CodeVersion(commit, True)
    # An entry is a status of two letters, a space and a path; a former name follows on its own.
    paths = [Path(entry[3:] if entry[2:3] == " " else entry) for entry in changes.split("\0")]
    edited = frozenset(_module_of(path) for path in paths if path.suffix == ".py")
    return CodeVersion(commit, bool(edited), edited)


def _module_of(path: Path) -> str:
    steps = path.with_suffix("").parts
    return ".".join(steps[:-1] if steps[-1] == "__init__" else steps)


def package_versions() -> str:
    """Versions of Python and of the packages that can move a number, as JSON."""
    found = {name: _installed_version(name) for name in PACKAGES}
    return json.dumps({"python": platform.python_version(), **found}, sort_keys=True)


def _installed_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _git(root: Path, *arguments: str) -> str | None:
    """Output as it is: a status begins with a space that says something. None without git."""
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
