"""One pinned figure: numbers with the tolerance that another processor meets, or exact values.

Knows how two values are compared and how a difference is told; not what was measured.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Scalar = str | bool | int | float | None

LONGEST_LIST = 20
"""Longer lists are pinned as a digest, so that the files stay readable."""


@dataclass(frozen=True)
class Figure:
    """Values with their tolerance.

    Args:
        values: one or more; a single one is pinned without brackets.
        relative, absolute: largest accepted difference of two numbers; 0 and 0 for equality.
        place: what a position in the list is, for messages: "epoch", "sample".
    """

    values: tuple[Scalar, ...]
    relative: float = 0.0
    absolute: float = 0.0
    place: str = "entry"

    @property
    def plain(self) -> Scalar | list[Scalar]:
        """As it is pinned: floats with three digits more than the tolerance, at most sixteen."""
        if self.relative:
            digits = min(16, 3 - math.floor(math.log10(self.relative)))
            values = [_rounded(value, digits) for value in self.values]
        else:
            values = list(self.values)
        return values[0] if len(values) == 1 else values

    def moved(self, pinned: Any) -> list[str]:
        """Where it differs from what is pinned, one text a place; empty if nowhere."""
        before = pinned if isinstance(pinned, list) else [pinned]
        if len(before) != len(self.values):
            return [f"{len(before)} values → {len(self.values)}"]
        return [
            f"{self._position(index)}{_told(old)} → {_told(new)}"
            for index, (old, new) in enumerate(zip(before, self.values, strict=True), start=1)
            if not self._agree(old, new)
        ]

    def _position(self, index: int) -> str:
        return f"{self.place} {index}: " if len(self.values) > 1 else ""

    def _agree(self, old: Any, new: Scalar) -> bool:
        if isinstance(old, float | int) and isinstance(new, float):
            return math.isclose(old, new, rel_tol=self.relative, abs_tol=self.absolute)
        return bool(old == new) and isinstance(old, bool) == isinstance(new, bool)


def exact(*values: Scalar, place: str = "entry") -> Figure:
    """Values that are the same everywhere."""
    return Figure(values, place=place)


def exact_list(values: Sequence[Any], place: str = "entry") -> Figure:
    """A list that is the same everywhere; of a long one its digest."""
    if len(values) > LONGEST_LIST or not values:
        return exact(hashlib.sha256(repr(list(values)).encode()).hexdigest())
    return exact(*(value if isinstance(value, Scalar) else str(value) for value in values))


def double(values: Iterable[float], place: str = "entry", *, relative: float = 1e-9) -> Figure:
    """Numbers computed in float64; what is smaller than 1e-13 is rounding."""
    return Figure(tuple(map(float, values)), relative, 1e-13, place)


def single(values: Iterable[float], place: str = "entry", *, relative: float = 1e-4) -> Figure:
    """Numbers computed in float32, where processors differ in the last digits and steps add up."""
    return Figure(tuple(map(float, values)), relative, 1e-7, place)


def digest(array: NDArray[Any]) -> Figure:
    """SHA-256 of shape and bytes of an integer array."""
    text = f"{array.dtype.str} {array.shape}".encode()
    return exact(hashlib.sha256(text + np.ascontiguousarray(array).tobytes()).hexdigest())


def _rounded(value: Scalar, digits: int) -> Scalar:
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def _told(value: Any) -> str:
    """Short enough for a message."""
    if isinstance(value, float):
        return f"{value:.10g}"
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
