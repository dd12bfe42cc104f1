"""Which code a component is made of, as a digest: what a revision number cannot promise.

The digest is over the module that registers the component and every module that it imports from its
own folder tree, so an edited helper counts too. Comments, docstrings and layout do not count. Files
are read when the component is imported, not later: an edit afterwards changes no running code.
Files that a component opens by itself, and what it imports from installed packages, are not seen.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

Origin = Literal["built-in", "edited", "plug-in"]

PROJECT = "trainables"
"""Modules of this package are built in; others are plug-ins."""

INSTALLED = ("site-packages", "dist-packages")
"""Folders that hold many packages: a plug-in that lies there has its own package as its tree."""


@dataclass(frozen=True)
class ComponentSource:
    """The code of one component.

    Args:
        name: of the component, as the cell names it.
        origin: `built-in` for committed code of this project, whose numbers golden runs hold;
            `edited` for such code with changes that are not committed; `plug-in` for all else.
        sha256: digest of the code; None where it has no file, as in a notebook.
    """

    name: str
    origin: Origin
    sha256: str | None


def is_plug_in(modules: Iterable[str]) -> bool:
    """Whether a component that `modules` define is none of this project's."""
    return not all(_is_ours(module) for module in modules)


def built_in_source(name: str, modules: tuple[str, ...], edited: frozenset[str]) -> ComponentSource:
    """The code of the component `name` of this project, which `modules` define.

    Args:
        edited: modules of this project with changes that are not committed.
    """
    origin: Origin = "edited" if edited.intersection(modules) else "built-in"
    return ComponentSource(name, origin, _built_in_sha256(modules))


def shared_source(name: str, parts: Iterable[str], edited: frozenset[str]) -> ComponentSource:
    """The code of this project that belongs to no component: all modules but `parts`."""
    folder = Path(__file__).parent
    modules = {_module_name(path, folder) for path in folder.rglob("*.py")} - set(parts)
    digest = hashlib.sha256()
    for module in sorted(modules):
        digest.update(f"{module}\0{_code(_path_of(module, folder))}\0".encode())
    origin: Origin = "edited" if edited & modules else "built-in"
    return ComponentSource(name, origin, digest.hexdigest())


@cache
def _built_in_sha256(modules: tuple[str, ...]) -> str | None:
    return code_sha256(modules)


def code_sha256(modules: Iterable[str]) -> str | None:
    """Digest over the code of modules and of what they import from their own folder trees.

    None if one of the modules has no file.
    """
    files: dict[Path, str] = {}
    for module in modules:
        file = _file_of(module)
        if file is None:
            return None
        root = _tree_of(module, file)
        for path in [file] if _is_ours(module) else _closure(file, root):
            files[path] = path.relative_to(root).as_posix()
    digest = hashlib.sha256()
    for path in sorted(files, key=lambda path: (files[path], str(path))):
        digest.update(f"{files[path]}\0{_code(path)}\0".encode())
    return digest.hexdigest()


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == PROJECT


def _module_name(path: Path, folder: Path) -> str:
    steps = path.relative_to(folder.parent).with_suffix("").parts
    return ".".join(steps[:-1] if steps[-1] == "__init__" else steps)


def _path_of(module: str, folder: Path) -> Path:
    path = folder.parent.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _file_of(module: str) -> Path | None:
    file = getattr(sys.modules.get(module), "__file__", None)
    return Path(file).resolve() if file and file.endswith(".py") else None


def _tree_of(module: str, file: Path) -> Path:
    """The folder that a plug-in's own modules lie in."""
    depth = module.count(".") + (file.name == "__init__.py")
    folder = file.parents[depth]
    return folder / module.partition(".")[0] if folder.name in INSTALLED and depth else folder


def _closure(file: Path, root: Path) -> list[Path]:
    """`file` and all modules below `root` that it imports, directly or not."""
    found, waiting = {file}, [file]
    while waiting:
        for path in _imports(waiting.pop(), root):
            if path not in found:
                found.add(path)
                waiting.append(path)
    return sorted(found)


def _imports(file: Path, root: Path) -> Iterator[Path]:
    """Files below `root` that a module imports, wherever in it the statement stands."""
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files_for(root, alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            start = file.parents[node.level - 1] if node.level else root
            steps = node.module.split(".") if node.module else []
            for alias in node.names:
                yield from _files_for(start, [*steps, alias.name])


def _files_for(start: Path, steps: list[str]) -> Iterator[Path]:
    """The module that `steps` name, and the packages on the way; names of objects find nothing."""
    folder = start
    for step in steps:
        for path in (folder / f"{step}.py", folder / step / "__init__.py"):
            if path.is_file():
                yield path.resolve()
        folder /= step


def _tree(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):  # imported otherwise: it has no say in the digest
        return ast.Module(body=[], type_ignores=[])


def _code(file: Path) -> str:
    """The code of a module without comments, docstrings and layout."""
    tree = _tree(file)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return ast.unparse(tree)
