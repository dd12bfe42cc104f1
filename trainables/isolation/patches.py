"""Which functions of torch, numpy and this project were replaced by others since a moment.

A snapshot holds the attributes of modules and classes; what stands there later must be the same
object. Does not see code that is changed in place (`function.__code__`), nor kernels of torch that
are overridden below Python.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

MODULES = (
    "math",
    "random",
    "numpy",
    "numpy.random",
    "torch",
    "torch.amp",
    "torch.autograd",
    "torch.backends",
    "torch.linalg",
    "torch.nn",
    "torch.nn.functional",
    "torch.nn.init",
    "torch.nn.modules",
    "torch.optim",
    "torch.random",
    "torch.special",
)
"""Whose functions and classes are watched, beside the modules of this project."""

OWN = __name__.partition(".")[0]
REPLACED_BY_TORCH = ("torch._", "torch.optim.")
"""Torch completes itself when parts of it are first used, by functions that stand here."""

MISSING = object()


@dataclass(frozen=True)
class Patch:
    """An attribute that is not what it was.

    Args:
        space: the module or class.
        name: of the attribute.
        former: what was there; MISSING if nothing was.
    """

    space: Any
    name: str
    former: Any

    def __str__(self) -> str:
        if isinstance(self.space, ModuleType):
            return f"{self.space.__name__}.{self.name}"
        return f"{self.space.__module__}.{self.space.__qualname__}.{self.name}"

    def undo(self) -> None:
        """Put back what was there."""
        if self.former is MISSING:
            delattr(self.space, self.name)
        else:
            setattr(self.space, self.name, self.former)


class Functions:
    """The attributes of all watched modules and classes at one moment."""

    def __init__(self) -> None:
        self._spaces = [(space, dict(vars(space))) for space in _spaces()]

    def patches(self) -> tuple[Patch, ...]:
        """What is different now."""
        return tuple(
            patch
            for space, former in self._spaces
            if vars(space) != former
            for patch in _patches(space, former)
        )


def _spaces() -> Iterator[Any]:
    """Modules, and the classes that they define or offer."""
    own = [name for name in sys.modules if name == OWN or name.startswith(f"{OWN}.")]
    classes: dict[type, None] = {}
    for name in (*MODULES, *own):
        module = sys.modules.get(name)
        if module is None:
            continue
        yield module
        package = name.partition(".")[0]
        for value in tuple(vars(module).values()):
            if isinstance(value, type) and value.__module__.partition(".")[0] == package:
                classes.setdefault(value)
                for base in value.__mro__[1:-1]:
                    if base.__module__.partition(".")[0] == package:
                        classes.setdefault(base)
    yield from classes


def _patches(space: Any, former: Mapping[str, Any]) -> Iterator[Patch]:
    present = vars(space)
    for name, value in former.items():
        now = present.get(name, MISSING)
        if now is not value and not _is_bookkeeping(name) and not _is_by_torch(now):
            yield Patch(space, name, value)
    if isinstance(space, ModuleType):  # which may load a part of itself at any time
        return
    for name in present.keys() - former.keys():
        value = present[name]
        if callable(value) and not _is_bookkeeping(name) and not _is_by_torch(value):
            yield Patch(space, name, MISSING)


def _is_bookkeeping(name: str) -> bool:
    """Python notes such things about a class when they are first asked for."""
    return name.startswith(("__annot", "__slotnames", "__doc", "_abc_", "__abstract", "__weakref"))


def _is_by_torch(value: Any) -> bool:
    """By where its code stands: a wrapper may bear the name of what it wraps."""
    code_of = getattr(value, "__globals__", {})
    return str(code_of.get("__name__", "")).startswith(REPLACED_BY_TORCH)
