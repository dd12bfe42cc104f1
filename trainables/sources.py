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
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

Origin = Literal["built-in", "edited", "plug-in"]

PROJECT = "trainables"
"""Modules of this package are built in; others are plug-ins."""

OURS = (PROJECT, "storage", "orchestrator")
"""Packages that no plug-in has for its own, not even if it lies beside them."""

INSTALLED = ("site-packages", "dist-packages")
"""Folders that hold many packages: of those there only a plug-in's own is its tree."""


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


def built_in_source(
    name: str, modules: tuple[str, ...], parts: frozenset[str], edited: frozenset[str]
) -> ComponentSource:
    """The code of the component `name` of this project, which `modules` define.

    Args:
        parts: modules of this project that register components; one may be made of another.
        edited: modules of this project with changes that are not committed.
    """
    files = _built_in_files(modules, parts)
    origin: Origin = "edited" if edited.intersection(files) else "built-in"
    return ComponentSource(name, origin, _built_in_sha256(modules, parts))


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
def _built_in_files(modules: tuple[str, ...], parts: frozenset[str]) -> dict[str, Path]:
    """Module → file: `modules` and those of `parts` that they are made of."""
    folder = Path(__file__).parent
    known = {_path_of(part, folder): part for part in parts}
    files = {module: _path_of(module, folder) for module in modules}
    for path in [*files.values()]:
        closure = _closure(path, _Tree(folder.parent, within=(*known, path)))
        files |= {known[found]: found for found in closure if found in known}
    return files


@cache
def _built_in_sha256(modules: tuple[str, ...], parts: frozenset[str]) -> str:
    return _digest(_built_in_files(modules, parts))


def code_sha256(modules: Iterable[str]) -> str | None:
    """Digest over the code of a plug-in's modules and of what they import from their own trees.

    None if one of the modules has no file.
    """
    files: dict[str, Path] = {}
    for module in modules:
        file = _file_of(module)
        if file is None:
            return None
        if not _is_ours(module):  # as where a plug-in offers a class of this project
            root = _root_of(module, file)
            closure = _closure(file, _Tree(root, below=_own_folder(module, root)))
            files |= {path.relative_to(root).as_posix(): path for path in closure}
    return _digest(files)


def _digest(files: Mapping[str, Path]) -> str:
    """Digest over files by their names, wherever they lie."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{_code(files[name])}\0".encode())
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
    # A link is not followed: what the module imports is looked for beside the link.
    file = getattr(sys.modules.get(module), "__file__", None)
    return Path(file).absolute() if file and file.endswith(".py") else None


def _root_of(module: str, file: Path) -> Path:
    """The folder from which a module was imported."""
    return file.parents[module.count(".") + (file.name == "__init__.py")]


def _own_folder(module: str, root: Path) -> Path:
    """The folder whose files are a plug-in's own."""
    return root / module.partition(".")[0] if root.name in INSTALLED else root


@dataclass(frozen=True)
class _Tree:
    """Where the modules lie that count.

    Args:
        root: folder that absolute imports start from.
        below: only files of this folder count; all below `root` if left out.
        within: these files and no others count; if left out, all but those of this project.
    """

    root: Path
    below: Path | None = None
    within: tuple[Path, ...] | None = None

    def __contains__(self, path: Path) -> bool:
        if self.within is not None:
            return path in self.within
        if not path.is_relative_to(self.below or self.root) or not path.is_file():
            return False
        return path.relative_to(self.root).parts[0] not in OURS


def _closure(file: Path, tree: _Tree) -> list[Path]:
    """`file` and all modules of the tree that it imports, directly or not."""
    found, waiting = {file}, [file]
    while waiting:
        path = waiting.pop()
        for other in (*_packages_of(path, tree.root), *_imports(path, tree.root)):
            if other in tree and other not in found:
                found.add(other)
                waiting.append(other)
    return sorted(found)


def _packages_of(file: Path, root: Path) -> Iterator[Path]:
    """The packages that a module lies in, which run before it."""
    for folder in file.parents:
        if not folder.is_relative_to(root) or folder == root:
            break
        yield folder / "__init__.py"


def _imports(file: Path, root: Path) -> Iterator[Path]:
    """Files that a module may import, wherever in it the statement stands."""
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files_for(root, alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            steps = node.module.split(".") if node.module else []
            start = file.parents[min(node.level, len(file.parents)) - 1] if node.level else root
            for alias in node.names:
                yield from _files_for(start, [*steps, alias.name])


def _files_for(start: Path, steps: list[str]) -> Iterator[Path]:
    """The module that `steps` name, and the packages on the way, if they were files."""
    folder = start
    for step in steps:
        yield from (folder / f"{step}.py", folder / step / "__init__.py")
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
