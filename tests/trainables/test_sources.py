"""Digests of code: what counts, what does not, and whose code it is."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from trainables import components
from trainables.components import build_config
from trainables.sources import PROJECT, built_in_source, code_sha256

Digest = Callable[..., str | None]


@pytest.fixture
def digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Digest]:
    """Writes files below a folder of imports, imports `module` anew and gives its digest."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)

    def forget() -> None:
        for name in set(sys.modules) - before:
            if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]

    def digest(module: str = "plug", *, below: str = "here", **files: str) -> str | None:
        root = tmp_path / below
        for name, text in files.items():
            path = root / (name.replace("__in__", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        forget()
        importlib.invalidate_caches()
        with monkeypatch.context() as first:
            first.syspath_prepend(root)
            importlib.import_module(module)
        return code_sha256((module,))

    yield digest
    forget()


def test_what_runs_counts_and_nothing_else(digest: Digest) -> None:
    before = digest(plug="def f(x):\n    return x + 1\n")
    same = 'def f(x):\n    """What it does."""\n\n    return (x+1)  # really\n'
    assert digest(plug=f'"""What it is."""\n{same}') == before
    assert digest(plug="def f(x):\n    return x + 2\n") != before
    assert digest(plug="def f(y):\n    return y + 1\n") != before  # only a replay can tell


@pytest.mark.parametrize(
    "statement",
    [
        "import helper",
        "import helper as h",
        "from helper import x",
        "from helper import *",
        "def f():\n    import helper",
        "try:\n    import helper\nexcept ImportError:\n    pass",
        "if True:\n    from helper import x as y",
    ],
)
def test_imported_modules_of_its_own_folder_count(digest: Digest, statement: str) -> None:
    before = digest(plug=statement, helper="x = 1", other="x = 1")
    assert digest(helper="x = 1", other="x = 2") == before
    assert digest(helper="x = 2") != before


def test_and_what_these_import(digest: Digest) -> None:
    before = digest(plug="import a", a="import b", b="import a\nx = 1")  # in a circle, too
    assert digest(b="import a\nx = 2") != before


@pytest.mark.parametrize(
    "statement",
    [
        "from . import helper",
        "from .helper import x",
        "from pack.helper import x",
        "from pack import helper",
        "import pack.helper",
        "from .deep.inner import y",
    ],
)
def test_relative_and_absolute_imports_within_a_package(digest: Digest, statement: str) -> None:
    files = {
        "pack__in____init__": "",
        "pack__in__helper": "x = 1",
        "pack__in__deep__in____init__": "",
    }
    files["pack__in__deep__in__inner"] = "from ..helper import x\ny = x"
    before = digest("pack.plug", **files, pack__in__plug=statement)
    assert digest("pack.plug", pack__in__helper="x = 2") != before


@pytest.mark.parametrize("statement", ["from . import P", "from pack import P", "P = 0"])
def test_a_package_runs_before_its_modules(digest: Digest, statement: str) -> None:
    """What `__init__` says counts, whether or not it is asked for."""
    before = digest("pack.plug", pack__in____init__="P = 1", pack__in__plug=statement)
    assert digest("pack.plug", pack__in____init__="P = 2") != before


def test_a_package_may_be_the_plug_in(digest: Digest) -> None:
    before = digest("pack", pack__in____init__="from . import inner", pack__in__inner="x = 1")
    assert digest("pack", pack__in__inner="x = 2") != before


def test_a_link_is_read_and_its_neighbours_are_looked_for_beside_it(
    digest: Digest, tmp_path: Path
) -> None:
    (tmp_path / "far.py").write_text("import helper")
    (tmp_path / "near.py").write_text("x = 1")
    (tmp_path / "here").mkdir()
    (tmp_path / "here/plug.py").symlink_to(tmp_path / "far.py")
    (tmp_path / "here/helper.py").symlink_to(tmp_path / "near.py")
    before = digest()
    (tmp_path / "near.py").write_text("x = 2")
    assert digest() != before


def test_an_import_beyond_the_top_is_no_reason_to_fail(digest: Digest) -> None:
    text = "try:\n    from ... import x\nexcept ImportError:\n    pass\n"
    assert digest("pack.plug", pack__in____init__="", pack__in__plug=text)


def test_a_file_that_does_not_parse_has_no_say(digest: Digest) -> None:
    assert digest(plug="def f():\n    import broken\n", broken="def (")


def test_the_place_does_not_count(digest: Digest) -> None:
    files = {"plug": "import helper", "helper": "x = 1"}
    assert digest(**files) == digest(below="there", **files)


@pytest.mark.parametrize("statement", ["import pack.helper", "from . import helper"])
def test_of_installed_packages_only_its_own_counts(digest: Digest, statement: str) -> None:
    def installed(**files: str) -> str | None:
        return digest("pack.plug", below="lib/site-packages", **files)

    before = installed(
        pack__in____init__="", pack__in__plug=f"import other\n{statement}", other="x = 1",
        pack__in__helper="x = 1",
    )  # fmt: skip
    assert installed(other="x = 2") == before
    assert installed(pack__in__helper="x = 2") != before


def test_a_lone_installed_module_has_no_neighbours(digest: Digest) -> None:
    before = digest(below="lib/site-packages", plug="import other", other="x = 1")
    assert digest(below="lib/site-packages", other="x = 2") == before
    assert digest(below="lib/site-packages", plug="import other\nx = 1") != before


def test_this_project_beside_a_plug_in_is_none_of_its_code(digest: Digest, tmp_path: Path) -> None:
    text = "import trainables\nfrom trainables.losses import LOSSES"
    before = digest(plug=text)
    (tmp_path / "here" / PROJECT).mkdir()
    (tmp_path / "here" / PROJECT / "__init__.py").write_text("x = 1")
    assert digest(plug=text) == before


def test_code_without_a_file_is_unknown() -> None:
    assert code_sha256(("no_such_module",)) is None


COMBINED = ("trainables.losses.combined",)
PARTS = frozenset({*COMBINED, "trainables.losses.mae", "trainables.losses.ce"})


def test_a_component_made_of_another_is_edited_with_it() -> None:
    source = built_in_source("nfl_mae", COMBINED, PARTS, frozenset())
    assert source.origin == "built-in"
    alone = built_in_source("nfl_mae", COMBINED, frozenset(COMBINED), frozenset())
    assert source.sha256 != alone.sha256
    edits = {part: built_in_source("x", COMBINED, PARTS, frozenset({part})) for part in PARTS}
    assert {part for part, one in edits.items() if one.origin == "edited"} == {
        "trainables.losses.combined", "trainables.losses.mae"
    }  # fmt: skip


CONFIG = {
    "dataset": "fashion-mnist-small",
    "architecture": {"name": "mlp", "hidden": [4]},
    "loss": "nfl_mae",
    "noise": {"kind": "symmetric", "rate": 0.2},
    "augmentation": ["flip"],
    "learning_rate": 0.1,
    "epochs": 1,
}


@pytest.mark.parametrize(
    ("module", "field"),
    [
        ("trainables.losses.mae", "loss"),
        ("trainables.losses.combined", "loss"),
        ("trainables.architectures.mlp", "architecture"),
        ("trainables.noise.symmetric", "noise"),
        ("trainables.losses.softmax", "engine"),
        ("trainables.noise.stratify", "engine"),
        ("trainables.datasets.content", "engine"),
        ("trainables.training.train", "engine"),
        ("trainables", "engine"),
        ("trainables.losses.gce", None),
        ("orchestrator.cluster.trial", None),
    ],
)
def test_an_edited_module_is_edited_code_of_what_it_belongs_to(
    module: str, field: str | None
) -> None:
    found = components.sources(build_config(CONFIG), frozenset({module}))
    edited = {name for name, source in found.items() if source.origin == "edited"}
    assert edited == ({field} if field else set())
    assert all(source.sha256 for source in found.values())


def test_revisions_and_sources_name_the_same_fields() -> None:
    config = build_config(CONFIG)
    assert components.sources(config, frozenset()).keys() == {
        *components.revisions(config),
        "engine",
    }
