"""Named components and how a name becomes an object.

A component is a class or a function that its file registers under a name, with an integer revision:

    @LOSSES.register("gce", revision=1)
    @dataclass(frozen=True)
    class GeneralizedCrossEntropy:
        q: Annotated[float, Range(0, 1, low_open=True)] = 0.7

Its parameters, their types, ranges and defaults are read from the signature; nothing is declared
twice. Built-in modules are imported when one of their names is asked for, and an import path names
a component that lives outside the project. Knows nothing of any particular component.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.util
import inspect
import math
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from types import NoneType, SimpleNamespace, UnionType
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from trainables.config import Choice
from trainables.errors import BrokenComponentError as BrokenComponentError
from trainables.errors import ComponentError as ComponentError
from trainables.errors import ParameterError as ParameterError
from trainables.errors import UnknownComponentError as UnknownComponentError
from trainables.sources import code_sha256, is_plug_in

T = TypeVar("T")
REQUIRED: Any = inspect.Parameter.empty
LARGEST_WHOLE = 2**63 - 1
"""What a store keeps of whole numbers."""


@dataclass(frozen=True)
class Range:
    """Closed numeric range of a parameter; `low_open`/`high_open` exclude an end."""

    low: float = -math.inf
    high: float = math.inf
    low_open: bool = False
    high_open: bool = False

    def __contains__(self, value: float) -> bool:
        above = value > self.low if self.low_open else value >= self.low
        below = value < self.high if self.high_open else value <= self.high
        return math.isfinite(value) and above and below

    def __str__(self) -> str:
        left = "(" if self.low_open or math.isinf(self.low) else "["
        right = ")" if self.high_open or math.isinf(self.high) else "]"
        return f"{left}{self.low:g}, {self.high:g}{right}"


@dataclass(frozen=True)
class Parameter:
    """One parameter of a component, as its signature declares it."""

    name: str
    annotation: Any
    default: Any
    range: Range | None

    @property
    def is_required(self) -> bool:
        return self.default is REQUIRED

    def canonical(self, value: Any) -> Any:
        """`value` in the declared type. Raises ParameterError if it does not fit type or range."""
        return _fit(self.annotation, value, self)


@dataclass(frozen=True)
class Published:
    """Parameters that a component was published with.

    Args:
        source: who ran them, in words.
        by_dataset: data set, where they depend on it with noise (`cifar10-symmetric-0.4`) →
            parameters; the others have their default.
    """

    source: str
    by_dataset: Mapping[str, Mapping[str, float | str]]


@dataclass(frozen=True)
class Component(Generic[T]):
    """A registered class or function with the facts that studies and keys need.

    Args:
        modules: that define it: the one of the class or function, and the one that an import path
            names, if it is another.
        code: digest of a plug-in's code as it was imported; None for built-in components, and
            where there is no file.
    """

    name: str
    target: Callable[..., T]
    revision: int
    parameters: Mapping[str, Parameter]
    modules: tuple[str, ...]
    code: str | None = None
    published: Published | None = None

    def resolve(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Check `given` and complete it with the defaults. Raises ParameterError."""
        for name in given:
            if name not in self.parameters:
                hint = nearest(name, self.parameters)
                raise ParameterError(
                    f"{self.name} has no parameter '{name}'", key=name, nearest=hint
                )
        resolved = {}
        for name, parameter in self.parameters.items():
            if name not in given and parameter.is_required:
                raise ParameterError(f"{self.name} needs '{name}'", key=name)
            value = given.get(name, parameter.default)
            resolved[name] = parameter.canonical(value)
        return resolved


class Registry(Generic[T]):
    """The components of one kind.

    Args:
        kind: what they are, for messages: "loss", "data set".
        modules: built-in name → module that registers it when imported.
        common: parameters that every component of this kind takes besides its own; the builder of
            the kind, not the component, receives them.
        group: entry-point group through which installed packages offer further components.
    """

    def __init__(
        self,
        kind: str,
        modules: Mapping[str, str],
        *,
        common: tuple[Parameter, ...] = (),
        group: str | None = None,
    ) -> None:
        self.kind = kind
        self._modules = dict(modules)
        self._common = {parameter.name: parameter for parameter in common}
        self._group = group
        self._components: dict[str, Component[T]] = {}

    def register(
        self, name: str, *, revision: int = 1, published: Published | None = None
    ) -> Callable[[Callable[..., T]], Any]:
        """Decorator that offers a class or function; bump `revision` when its numbers move."""

        def decorate(target: Callable[..., T]) -> Callable[..., T]:
            parameters = {**_signature_parameters(target), **self._common}
            modules = (target.__module__,)
            # Now, since a file that is edited later changes no code that is already here.
            code = code_sha256(modules) if is_plug_in(modules) else None
            self._components[name] = Component(
                name, target, revision, parameters, modules, code, published
            )
            return target

        return decorate

    @property
    def built_in_modules(self) -> frozenset[str]:
        """Modules of this project that register components of this kind."""
        return frozenset(self._modules.values())

    def names(self) -> tuple[str, ...]:
        """Built-in names and those registered so far, sorted; imports nothing."""
        return tuple(sorted({*self._modules, *self._components}))

    def is_built_in(self, name: str) -> bool:
        """Whether the project itself has the component of this name; imports nothing."""
        if name not in self._components:
            return name in self._modules
        home = self._components[name].target.__module__
        return home.partition(".")[0] == __name__.partition(".")[0]

    def has_loaded(self, name: str) -> bool:
        """Whether the module of this component has been imported."""
        return name in self._components

    def component(self, name: str) -> Component[T]:
        """The component called `name`. Raises UnknownComponentError."""
        if name not in self._components:
            self._load(name)
        if name in self._components:
            return self._components[name]
        hint = nearest(name, self.names())
        listed = f"unknown {self.kind} '{name}', one of {', '.join(self.names())}"
        if hint is None and name.isidentifier():
            listed += f"; {name}.py is neither in the current folder nor an installed module"
        raise UnknownComponentError(listed, nearest=hint)

    def resolve(self, choice: Choice) -> Choice:
        """`choice` with every parameter present and in canonical form. Raises ComponentError."""
        return Choice.of(choice.name, self.component(choice.name).resolve(choice.as_dict()))

    def build(self, choice: Choice) -> T:
        """The component with its own (not the common) parameters: an instance of a class, or a
        function with its keyword parameters bound. Raises ComponentError.
        """
        component = self.component(choice.name)
        resolved = component.resolve(choice.as_dict())
        own = {name: value for name, value in resolved.items() if name not in self._common}
        if inspect.isclass(component.target):
            return cast("T", component.target(**own))
        return cast("T", functools.partial(component.target, **own))

    def _load(self, name: str) -> None:
        if name in self._modules:
            importlib.import_module(self._modules[name])
        elif self._group and (found := entry_points(group=self._group, name=name)):
            with _import_of(f"{self.kind} '{name}'"):
                next(iter(found)).load()
        elif "." in name or ":" in name or _is_module(name):
            self._load_path(name)

    def _load_path(self, path: str) -> None:
        """`package.module` (which registers one component) or `package.module:name`."""
        module_name, _, wanted = path.partition(":")
        if not all(part.isidentifier() for part in module_name.split(".")):
            raise UnknownComponentError(
                f"{self.kind} '{path}' is neither a name nor an import path such as package.module"
            )
        before = set(self._components)
        with _import_of(f"{self.kind} '{path}'", module_name):
            module = importlib.import_module(module_name)
        own = {
            component.name: component
            for name, component in self._components.items()
            if (name not in before and is_plug_in(component.modules))
            or component.target.__module__ == module.__name__
        }
        if wanted and wanted in own:
            component = own[wanted]
        elif not wanted and len(own) == 1:
            component = next(iter(own.values()))
        else:
            offered = ", ".join(f"{module_name}:{name}" for name in sorted(own)) or "none"
            raise UnknownComponentError(f"{self.kind} '{path}': this module registers {offered}")
        modules = tuple(dict.fromkeys((*component.modules, module.__name__)))
        self._components[path] = replace(component, modules=modules, code=code_sha256(modules))


@contextmanager
def _import_of(what: str, module_name: str = "") -> Iterator[None]:
    """What anyone's code may raise when it is imported, as one line that says where."""
    try:
        yield
    except ComponentError:
        raise
    except (Exception, SystemExit) as error:  # anyone's code
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and module_name.startswith(missing):
            raise UnknownComponentError(
                f"{what}: no module named '{missing}' (looked in the current folder and the "
                "installed packages)"
            ) from None
        text = " ".join(f"{type(error).__name__}: {error}".split())
        raise BrokenComponentError(f"{what} cannot be imported{_place(error)}: {text}") from error


def _place(error: BaseException) -> str:
    """The line that raised an error; nothing where the error says it itself."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    if isinstance(error, SyntaxError):
        return ""
    return f" (line {frame.lineno} of {Path(frame.filename).name})"


def _is_module(name: str) -> bool:
    """Whether a plain name is a module that can be imported."""
    return name.isidentifier() and importlib.util.find_spec(name) is not None


def nearest(word: str, candidates: Any) -> str | None:
    """The candidate most like `word`, or None if none is close."""
    found = difflib.get_close_matches(word, [str(item) for item in candidates], n=1, cutoff=0.6)
    return found[0] if found else None


def _signature_parameters(target: Callable[..., Any]) -> dict[str, Parameter]:
    """Fields of a dataclass, or keyword-only parameters of a function; the rest is data."""
    declared = [
        item
        for item in inspect.signature(target).parameters.values()
        if inspect.isclass(target) or item.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    # Only these are evaluated: a function's data arguments may name types imported for checkers.
    hints: dict[str, Any] = {}
    for item in declared:
        annotated = SimpleNamespace(__annotations__={item.name: item.annotation})
        names = vars(sys.modules[_home(target, item.name)])
        hints |= get_type_hints(annotated, globalns=names, include_extras=True)
    return {item.name: _parameter(item.name, hints[item.name], item.default) for item in declared}


def _home(target: Callable[..., Any], parameter: str) -> str:
    """The module in which a parameter is written: that of a base class for what is inherited."""
    if not inspect.isclass(target):
        return target.__module__
    maker = next(base for base in target.__mro__ if "__init__" in vars(base))
    if "__dataclass_fields__" not in vars(maker) or not vars(maker)["__dataclass_params__"].init:
        return maker.__module__
    owners = (base for base in maker.__mro__ if parameter in vars(base).get("__annotations__", {}))
    return next(owners, maker).__module__


def _parameter(name: str, annotation: Any, default: Any) -> Parameter:
    limits = None
    if get_origin(annotation) is Annotated:
        annotation, *extras = get_args(annotation)
        limits = next((item for item in extras if isinstance(item, Range)), None)
    return Parameter(name, annotation, default, limits)


_PLAIN_WORDS = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    NoneType: "null",
}


def _fit(annotation: Any, value: Any, parameter: Parameter) -> Any:
    """`value` as `annotation` asks for it: the small type system of component parameters."""
    origin = get_origin(annotation)
    if annotation is Any:
        return value
    if origin in (Union, UnionType):
        return _fit_union(annotation, value, parameter)
    if origin is Literal:
        options = get_args(annotation)
        if value in options and type(value) in {type(option) for option in options}:
            return value
        listed = ", ".join(map(str, options))
        raise ParameterError(
            f"'{parameter.name}' must be one of {listed}, not {value!r}",
            key=parameter.name,
            nearest=nearest(str(value), options),
        )
    if origin is tuple:
        return _fit_tuple(annotation, value, parameter)
    if annotation in (float, int) and isinstance(value, int | float):
        if (number := _as_number(annotation, value)) is not None:
            return _in_range(number, parameter)
    elif annotation in (bool, str, NoneType) and isinstance(value, annotation):
        return value
    expected = _PLAIN_WORDS.get(annotation, str(annotation))
    raise ParameterError(
        f"'{parameter.name}' must be {expected}, not {value!r}", key=parameter.name
    )


def _as_number(kind: type[float] | type[int], value: float) -> float | None:
    """`value` as a float, or as an int if it is whole; None if it cannot be one."""
    if isinstance(value, bool):
        return None
    try:
        number = kind(value)
    except (OverflowError, ValueError):  # an integer beyond all floats; ∞ or NaN as an integer
        return None
    return number if number == value or kind is float else None


def _fit_union(annotation: Any, value: Any, parameter: Parameter) -> Any:
    problem: ParameterError | None = None
    for option in get_args(annotation):
        try:
            return _fit(option, value, parameter)
        except ParameterError as error:
            problem = problem or error
    assert problem is not None
    raise problem


def _fit_tuple(annotation: Any, value: Any, parameter: Parameter) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ParameterError(
            f"'{parameter.name}' must be a list, not {value!r}", key=parameter.name
        )
    kinds = get_args(annotation)
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise ParameterError(
            f"'{parameter.name}' must have {len(kinds)} entries, not {len(value)}",
            key=parameter.name,
        )
    return tuple(_fit(kind, item, parameter) for kind, item in zip(kinds, value, strict=True))


def _in_range(value: float, parameter: Parameter) -> float:
    limits = parameter.range or Range()
    if isinstance(value, int) and abs(value) > LARGEST_WHOLE:
        raise ParameterError(
            f"'{parameter.name}' must be at most {LARGEST_WHOLE}, a number of "
            f"{len(str(abs(value)))} digits is too large",
            key=parameter.name,
        )
    if value not in limits:
        raise ParameterError(
            f"'{parameter.name}' must lie in {limits}, not {value:g}", key=parameter.name
        )
    return value
