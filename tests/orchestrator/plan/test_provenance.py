"""Which code of this project counts as edited: in a checkout, outside one, and without git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from orchestrator.plan import provenance
from orchestrator.plan.provenance import code_version


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a file of each room, all committed."""
    root = tmp_path / "checkout"
    for name in ("orchestrator/provenance", "trainables/losses/__init__", "trainables/losses/ce"):
        path = root / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "all")
    monkeypatch.setattr(provenance, "__file__", str(root / "orchestrator/plan/provenance.py"))
    return root


def git(root: Path, *arguments: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(root), *who, *arguments], check=True)


def test_a_clean_checkout(checkout: Path) -> None:
    version = code_version()
    assert (version.is_dirty, version.edited) == (False, frozenset())
    assert len(version.commit) == 40


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("trainables/losses/ce.py", "trainables.losses.ce"),
        ("trainables/losses/__init__.py", "trainables.losses"),
        ("trainables/losses/new.py", "trainables.losses.new"),
        ("trainables/new folder/ü.py", "trainables.new folder.ü"),
    ],
)
def test_a_change_is_named_committed_or_not_known_to_git(
    checkout: Path, name: str, module: str
) -> None:
    (checkout / name).parent.mkdir(exist_ok=True)
    (checkout / name).write_text("x = 2\n")
    assert code_version().edited == {module}
    git(checkout, "add", ".")
    assert code_version().edited == {module}
    git(checkout, "commit", "-qm", "change")
    assert (code_version().is_dirty, code_version().edited) == (False, frozenset())


def test_moved_and_removed_modules_are_named(checkout: Path) -> None:
    git(checkout, "mv", "trainables/losses/ce.py", "trainables/losses/cross.py")
    assert code_version().edited == {"trainables.losses.ce", "trainables.losses.cross"}
    (checkout / "trainables/losses/__init__.py").unlink()
    assert "trainables.losses" in code_version().edited


def test_what_is_none_of_its_code_makes_nothing_dirty(checkout: Path) -> None:
    (checkout / "my_loss.py").write_text("x = 1\n")
    (checkout / "trainables/notes.txt").write_text("x")
    assert code_version().is_dirty is False


def test_outside_a_checkout_the_release_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "orchestrator/plan/provenance.py"))
    version = code_version()
    assert (version.is_dirty, version.edited) == (None, frozenset())
    assert version.commit == provenance._installed_version(provenance.DISTRIBUTION)


def test_without_git_too(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert code_version().is_dirty is None
