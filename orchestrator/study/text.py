"""Study text → plain tree that remembers where everything stood.

YAML 1.2, read safely: `1e-4` is a number, `on` is text, a key that stands twice is an error. Files
may extend one other file; overrides `key=value` come last. Knows YAML, not what a study means.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError, YAMLWarning
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

LIMIT_BYTES = 1 << 20
LIMIT_DEPTH = 50
LIMIT_NODES = 200_000
"""Far above any study; below what a hostile file could make of aliases."""

TIMESTAMP = "tag:yaml.org,2002:timestamp"
"""Dates have no meaning in a study; they stay text."""

PLAIN_TAGS = {
    TIMESTAMP,
    *(
        f"tag:yaml.org,2002:{kind}"
        for kind in ["map", "seq", "str", "int", "float", "bool", "null"]
    ),
}

KeyPath = tuple[str | int, ...]
Place = tuple[str, int, int]
"""File, line and column, both counted from 1."""


class StudyError(Exception):
    """Something in a study is wrong, here.

    Args:
        message: what is wrong, in plain words.
        place: file, line and column.
        key: path of the key, such as `grid.loss`; empty for the file as a whole.
        nearest: the valid choice most like what stands there.
    """

    def __init__(
        self, message: str, place: Place, key: str = "", nearest: str | None = None
    ) -> None:
        self.message, self.key, self.nearest = " ".join(message.split()), key, nearest
        self.file, self.line, self.column = place
        hint = f" (did you mean {nearest}?)" if nearest else ""
        where = f"{key}: " if key else ""
        told = f"{self.file}:{self.line}:{self.column}: {where}{self.message}{hint}"
        super().__init__(" ".join(told.split("\n")))  # a key or an override may hold a line break


@dataclass(frozen=True)
class Source:
    """The tree of a study with its origin.

    Args:
        path: the study file.
        text: its content, before `extends` and overrides.
        sha256: digest over the text, the extended file's text and the overrides.
        data: mappings, lists, text, numbers, booleans and None.
    """

    path: Path
    text: str
    sha256: str
    data: dict[str, Any]
    _places: dict[KeyPath, Place] = field(repr=False)

    def location(self, key_path: KeyPath) -> Place:
        """Where a key stands, or the innermost of its parents that stands anywhere."""
        while key_path and key_path not in self._places:
            key_path = key_path[:-1]
        return self._places.get(key_path, (str(self.path), 1, 1))

    def stands(self, key_path: KeyPath) -> bool:
        """Whether a key is written anywhere."""
        return key_path in self._places

    def error(self, message: str, key_path: KeyPath, nearest: str | None = None) -> StudyError:
        """An error at a key."""
        return StudyError(message, self.location(key_path), dotted(key_path), nearest)


def load_source(path: Path, overrides: Sequence[str] = ()) -> Source:
    """Read a study file, the file it extends, and the overrides. Raises StudyError."""
    text, data, places = _read(path)
    digest = hashlib.sha256(text.encode())
    if "extends" in data:
        base_text, data, places = _extend(path, data, places)
        digest.update(base_text.encode())
    for override in overrides:
        _override(data, places, override)
        digest.update(override.encode())
    return Source(path, text, digest.hexdigest(), data, places)


def dotted(key_path: KeyPath) -> str:
    """`("grid", "loss", 0)` → `grid.loss[0]`."""
    text = ""
    for key in key_path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else str(key)
    return text


def _read(path: Path) -> tuple[str, dict[str, Any], dict[KeyPath, Place]]:
    text = _read_text(path)
    data, places = _parse(text, str(path))
    if not isinstance(data, dict):
        raise StudyError("a study is a mapping of keys to values", (str(path), 1, 1))
    return text, data, places


def _read_text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():  # a pipe or a device may never end
            raise StudyError("cannot be read: it is no file", (str(path), 1, 1))
        with path.open("rb") as file:
            content = file.read(LIMIT_BYTES + 1)
    except OSError as error:
        raise StudyError(f"cannot be read: {error.strerror}", (str(path), 1, 1)) from None
    if len(content) > LIMIT_BYTES:
        raise StudyError(f"is larger than {LIMIT_BYTES} bytes", (str(path), 1, 1))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise StudyError("is not UTF-8 text", (str(path), line, 1)) from None


def _parse(text: str, origin: str) -> tuple[Any, dict[KeyPath, Place]]:
    """Tree and places of a YAML text. Raises StudyError."""
    yaml = YAML(typ="safe", pure=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", YAMLWarning)  # an anchor defined twice, for one
            node = yaml.compose(text)
        reader = _Reader(yaml, origin)
        return (reader.read(node, ()) if node else None), reader.places
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (origin, mark.line + 1, mark.column + 1) if mark else (origin, 1, 1)
        raise StudyError(error.problem or error.context or "is not YAML", place) from None
    except YAMLWarning as warning:
        words = str(warning).strip().splitlines()[0]
        raise StudyError(f"is ambiguous YAML: {words}", (origin, 1, 1)) from None
    except YAMLError as error:
        raise StudyError(f"is not YAML: {error}", (origin, 1, 1)) from None
    except RecursionError:
        raise StudyError("is nested too deeply", (origin, 1, 1)) from None
    except ValueError as error:  # a scalar that looks like a date or number and is none
        raise StudyError(f"holds a value that cannot be read: {error}", (origin, 1, 1)) from None


class _Reader:
    """Composed YAML nodes → plain values, noting where each key stands."""

    def __init__(self, yaml: YAML, origin: str) -> None:
        self._yaml, self._origin = yaml, origin
        self._count = 0
        self.places: dict[KeyPath, Place] = {}

    def read(self, node: Node, path: KeyPath) -> Any:
        self._count += 1
        if node.tag not in PLAIN_TAGS:
            raise StudyError(f"the tag {node.tag} is not allowed", self._place(node))
        if len(path) > LIMIT_DEPTH or self._count > LIMIT_NODES:
            raise StudyError("is nested too deeply or repeats itself too often", self._place(node))
        self.places.setdefault(path, self._place(node))
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(key_node.value) if isinstance(key_node, ScalarNode) else None
            if key is None:
                raise StudyError("a key must be text", self._place(key_node), dotted(path))
            if key in found:
                raise StudyError(
                    "this key stands here a second time",
                    self._place(key_node),
                    dotted((*path, key)),
                )
            self.places[(*path, key)] = self._place(key_node)
            found[key] = self.read(value_node, (*path, key))
        return found

    def _scalar(self, node: Node) -> Any:
        if node.tag == TIMESTAMP:
            return str(node.value)
        return self._yaml.constructor.construct_object(node)

    def _place(self, node: Node) -> Place:
        return (self._origin, node.start_mark.line + 1, node.start_mark.column + 1)


def _extend(
    path: Path, data: dict[str, Any], places: dict[KeyPath, Place]
) -> tuple[str, dict[str, Any], dict[KeyPath, Place]]:
    """The extended file's tree with this one's laid over it."""
    place = places[("extends",)]
    if not isinstance(data["extends"], str):
        raise StudyError("must be the path of a file", place, "extends")
    base_path = path.parent / data["extends"]
    if not base_path.is_file():
        raise StudyError(f"there is no file {base_path}", place, "extends")
    text, base, base_places = _read(base_path)
    if "extends" in base:
        raise StudyError("the extended file extends another one", place, "extends")
    own = {key: value for key, value in data.items() if key != "extends"}
    return text, _merged(base, own), {**base_places, **places}


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Mappings merge key by key; anything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        replaces = isinstance(value, dict) and ("name" in value or "kind" in value)
        merged[key] = _merged(merged[key], value) if both and not replaces else value
    return merged


def read_settings(settings: Sequence[str]) -> dict[str, Any]:
    """`["q=0.7"]` → `{"q": 0.7}`, the values read as YAML. Raises StudyError."""
    found: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name.strip():
            raise StudyError("a setting reads name=value", (f"setting {setting!r}", 1, 1))
        found[name.strip()], _ = _parse(text, f"setting {setting!r}")
    return found


def _override(data: dict[str, Any], places: dict[KeyPath, Place], override: str) -> None:
    """Set one dotted key in place. Raises StudyError."""
    origin = f"override {override!r}"
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise StudyError("an override reads key=value", (origin, 1, 1))
    path = _split(key.strip())
    value, _ = _parse(text, origin)
    parent: Any = data
    for step in path[:-1]:
        parent = _descend(parent, step, origin, key)
    if not _reaches(parent, path[-1]):
        raise StudyError("there is no such place in the study", (origin, 1, 1), key)
    parent[path[-1]] = value
    for known in [place for place in places if place[: len(path)] == path]:
        del places[known]
    places[path] = (origin, 1, 1)


def _descend(parent: Any, step: str | int, origin: str, key: str) -> Any:
    if not _reaches(parent, step):
        raise StudyError("there is no such place in the study", (origin, 1, 1), key)
    return parent.setdefault(step, {}) if isinstance(parent, dict) else parent[step]


def _reaches(parent: Any, step: str | int) -> bool:
    """Whether `step` is a key of a mapping (there or not) or an entry of a list."""
    if isinstance(step, str):
        return isinstance(parent, dict)
    return isinstance(parent, list) and step < len(parent)


def _split(key: str) -> KeyPath:
    """`blocks.0.cell.epochs` → ("blocks", 0, "cell", "epochs"); what follows `grid` is one key."""
    head, grid, axis = key.rpartition("grid.")
    if grid and (not head or head.endswith(".")):
        steps = [*head.split(".")[:-1], "grid", axis]
    else:
        steps = key.split(".")
    return tuple(int(step) if step.isdecimal() else step for step in steps)
