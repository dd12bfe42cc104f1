"""What is pinned: for each subject its revisions and, for each run of it, parameters and figures.

One readable JSON file a kind, in `pins/`. Knows how a measurement is compared with its pin and
what to tell who moved a number; not how anything is measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.golden.figures import Figure

FOLDER = Path(__file__).parent / "pins"
SHOWN = 3
"""Moved figures that a message names; the rest is counted."""

Pin = Mapping[str, Any]
"""{"revisions": {kind: number}, "runs": {label: {"parameters": …, "figures": …}}, "because": …}"""


@dataclass(frozen=True)
class Subject:
    """What has golden runs: a component of a registry, a mechanism, or the key of a study."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Run:
    """One set of parameters and what came out.

    Args:
        parameters: all of them, the defaults included.
        figures: name → figure.
    """

    parameters: Mapping[str, Any]
    figures: Mapping[str, Figure]


@dataclass(frozen=True)
class Measurement:
    """A subject as the code has it now.

    Args:
        revisions: kind → revision of every component whose numbers enter.
        runs: label → run; a label names the parameters that are not the usual ones.
        advice: what to do if a moved number is meant.
    """

    subject: Subject
    revisions: Mapping[str, int]
    runs: Mapping[str, Run]
    advice: str

    @property
    def pin(self) -> dict[str, Any]:
        """As it is written to a file."""
        return {
            "revisions": dict(self.revisions),
            "runs": {
                label: {
                    "parameters": _plain(run.parameters),
                    "figures": {name: figure.plain for name, figure in run.figures.items()},
                }
                for label, run in self.runs.items()
            },
        }


@dataclass(frozen=True)
class Comparison:
    """A measurement beside its pin.

    Args:
        moved: figures and defaults that are others, each as a text.
        unpinned: labels and figures without a pin.
        surplus: labels and figures that are pinned and not measured any more.
        is_new: there is no pin at all.
        is_revised: a revision is not the pinned one, so that numbers may move.
    """

    measurement: Measurement
    moved: tuple[str, ...]
    unpinned: tuple[str, ...]
    surplus: tuple[str, ...]
    is_new: bool
    is_revised: bool

    @property
    def agrees(self) -> bool:
        return not (self.moved or self.unpinned or self.surplus or self.is_new or self.is_revised)

    @property
    def may_be_written(self) -> bool:
        """Without a reason: what is new or revised, and what only adds to the pins."""
        return self.is_new or self.is_revised or not (self.moved or self.surplus)

    @property
    def sentence(self) -> str:
        """What is wrong and what to do."""
        subject, revisions = self.measurement.subject, self.measurement.revisions
        if self.is_new:
            return f"{subject} has no golden run yet: run `make golden`."
        if self.is_revised:
            now = ", ".join(f"{kind} {number}" for kind, number in revisions.items())
            return f"{subject}: its golden run is of other revisions than {now}: run `make golden`."
        if self.moved or self.surplus:
            gone = [f"no longer measured: {name}" for name in self.surplus]
            revision = revisions.get(subject.kind)
            place = "" if revision is None else f" at revision {revision}"
            return f"{subject}: numbers moved ({_shown([*self.moved, *gone])}){place}. " + (
                f"If that is meant, {self.measurement.advice} If not, it is a bug."
            )
        return f"{subject}: not pinned yet: {_shown(self.unpinned)}. Run `make golden`."


def compare(measurement: Measurement, pin: Pin | None) -> Comparison:
    """Every figure and parameter against its pin."""
    if pin is None:
        return Comparison(measurement, (), (), (), is_new=True, is_revised=False)
    moved: list[str] = []
    unpinned: list[str] = []
    surplus = [label for label in pin["runs"] if label not in measurement.runs]
    for label, run in measurement.runs.items():
        if label not in pin["runs"]:
            unpinned.append(label)
            continue
        pinned = pin["runs"][label]
        moved += _moved_parameters(label, run, pinned["parameters"])
        for name, figure in run.figures.items():
            if name not in pinned["figures"]:
                unpinned.append(f"{label}, {name}")
                continue
            places = figure.moved(pinned["figures"][name])
            moved += [f"{label}, {name}, {place}" for place in places]
        surplus += [f"{label}, {name}" for name in pinned["figures"] if name not in run.figures]
    is_revised = dict(measurement.revisions) != pin["revisions"]
    return Comparison(measurement, tuple(moved), tuple(unpinned), tuple(surplus), False, is_revised)


def read_pins(kind: str, folder: Path = FOLDER) -> dict[str, Pin]:
    """Name → pin of one kind; empty if there is no file."""
    path = folder / f"{kind}.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def write_pins(kind: str, pins: Mapping[str, Pin], folder: Path = FOLDER) -> None:
    """Sorted by name; a list of plain values stands on one line."""
    (folder / f"{kind}.json").write_text(_text(dict(sorted(pins.items()))) + "\n")


def _text(value: Any, indent: str = "") -> str:
    """JSON with one entry of an object a line, and a list on one line."""
    if not isinstance(value, Mapping) or not value:
        return json.dumps(value, ensure_ascii=False)
    inner = indent + " "
    lines = [
        f"{inner}{json.dumps(k, ensure_ascii=False)}: {_text(v, inner)}" for k, v in value.items()
    ]
    return "{\n" + ",\n".join(lines) + f"\n{indent}}}"


def _moved_parameters(label: str, run: Run, pinned: Mapping[str, Any]) -> Iterable[str]:
    """Parameters that the pinned run had too: a new one with a neutral default moves nothing."""
    now = _plain(run.parameters)
    for name, before in pinned.items():
        if name in now and now[name] != before:
            yield f"{label}, default of {name}: {before} → {now[name]}"
        elif name not in now:
            yield f"{label}, parameter {name} is gone"


def _plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON gives them back; floats with fifteen digits, since a logarithm may differ by one."""
    rounded = {
        name: float(f"{value:.15g}") if isinstance(value, float) else value
        for name, value in parameters.items()
    }
    return dict(json.loads(json.dumps(rounded)))


def _shown(texts: Iterable[str]) -> str:
    listed = list(texts)
    rest = f"; and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return "; ".join(listed[:SHOWN]) + rest
