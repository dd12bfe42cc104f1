"""Why a component cannot be had; knows nothing of components."""

from __future__ import annotations


class ComponentError(ValueError):
    """A component cannot be had as asked. `key` names the parameter, `nearest` the likely fix.

    UnknownComponentError    no such name, or an import path that leads nowhere
    BrokenComponentError     its file raises an error when it is imported
    ParameterError           unknown parameter, wrong type, out of range, missing
    """

    def __init__(self, message: str, *, key: str | None = None, nearest: str | None = None) -> None:
        super().__init__(message)
        self.message, self.key, self.nearest = message, key, nearest


class UnknownComponentError(ComponentError):
    """No component has this name."""


class BrokenComponentError(ComponentError):
    """The file of a component raises an error when it is imported."""


class ParameterError(ComponentError):
    """A parameter is unknown, missing, of the wrong type or out of its range."""
