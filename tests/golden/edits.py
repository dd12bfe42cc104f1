"""Deliberate small edits of the running code, undone afterwards, to see that they are noticed."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from types import CodeType, MappingProxyType
from typing import Any
from unittest.mock import patch

from trainables.components import REGISTRIES


@contextmanager
def edited(function: Callable[..., Any], old: str, new: str) -> Iterator[None]:
    """`function` as if `old` stood as `new` in its source, wherever it was imported to."""
    function = inspect.unwrap(function)
    own = inspect.getsource(function)
    assert own.count(old) == 1, f"{old!r} stands {own.count(old)} times in {function.__qualname__}"
    module = sys.modules[function.__module__]
    text = inspect.getsource(module).replace(own, own.replace(old, new))
    code = _code(compile(text, str(module.__file__), "exec"), function.__qualname__)
    before = function.__code__
    function.__code__ = code
    try:
        yield
    finally:
        function.__code__ = before


def _code(module: CodeType, name: str) -> CodeType:
    """The code of a function of a compiled module."""
    waiting = [module]
    while waiting:
        code = waiting.pop()
        if code.co_qualname == name:
            return code
        waiting += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    raise LookupError(name)


@contextmanager
def default(kind: str, name: str, parameter: str, value: Any) -> Iterator[None]:
    """A component as if it declared another default; others that load meanwhile stay."""
    registry = REGISTRIES[kind]
    component = registry.component(name)
    declared = replace(component.parameters[parameter], default=value)
    parameters = MappingProxyType({**component.parameters, parameter: declared})
    moved = replace(component, parameters=parameters)
    registry._components[name] = moved
    try:
        yield
    finally:
        registry._components[name] = component


def entry(mapping: Mapping[Any, Any], key: Any, value: Any) -> AbstractContextManager[Any]:
    """A table as if one of its entries were another."""
    return patch.dict(mapping, {key: value})


def constant(module: str, name: str, value: Any) -> AbstractContextManager[Any]:
    """A module as if one of its constants were another."""
    return patch(f"{module}.{name}", value)
