"""Everything that has golden runs, from the registries and two lists: subject → measurement."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.golden import data, descent, keys, labels, losses, networks, transforms
from tests.golden.figures import Figure
from tests.golden.mechanisms import MECHANISMS
from tests.golden.pins import Measurement, Run, Subject
from tests.golden.variations import variations
from trainables.components import REGISTRIES
from trainables.config import Choice

FIGURES: dict[str, Callable[[Choice], Mapping[str, Figure]]] = {
    "architecture": networks.figures,
    "augmentation": transforms.augmentation_figures,
    "dataset": data.figures,
    "loss": losses.figures,
    "noise": labels.figures,
    "normalization": transforms.normalization_figures,
    "optimizer": descent.optimizer_figures,
    "schedule": descent.schedule_figures,
}
"""Kind → what is measured of a component of it."""

KINDS = (*FIGURES, "mechanism", "key")

DECLARED = "as declared"
"""Label of the run that is none: it holds the declared defaults."""

TELL = 'say why in `make golden because="…"` and in CHANGELOG'


def subjects() -> tuple[Subject, ...]:
    """Every built-in component, mechanism and study."""
    components = [Subject(kind, name) for kind in REGISTRIES for name in built_in(kind)]
    mechanisms = [Subject("mechanism", name) for name in MECHANISMS]
    return (*components, *mechanisms, *(Subject("key", name) for name in keys.study_files()))


def built_in(kind: str) -> tuple[str, ...]:
    """Names of a registry that the project itself registers; tests may have added others."""
    registry = REGISTRIES[kind]
    return tuple(
        name
        for name in registry.names()
        if not {".", ":"} & set(name)
        and registry.component(name).target.__module__.startswith("trainables.")
    )


def measure(subject: Subject) -> Measurement:
    """Every golden run of a subject, by the code as it is."""
    if subject.kind == "mechanism":
        return _of_mechanism(subject)
    if subject.kind == "key":
        return _of_key(subject)
    return _of_component(subject)


def _of_component(subject: Subject) -> Measurement:
    kind, name = subject.kind, subject.name
    registry = REGISTRIES[kind]
    component = registry.component(name)
    declared = {
        item.name: item.default for item in component.parameters.values() if not item.is_required
    }
    runs = {DECLARED: Run(declared, {})} if declared else {}
    for label, given in variations(kind, name).items():
        choice = registry.resolve(Choice.of(name, given))
        runs[label] = Run(choice.as_dict(), FIGURES[kind](choice))
    used = losses.used_revisions() if kind == "loss" else {}
    advice = (
        f"raise `revision=` in @{_registry_name(kind)}.register and run `make golden`; its stored "
        "results then become stale."
    )
    return Measurement(subject, {kind: component.revision, **used}, runs, advice)


def _of_mechanism(subject: Subject) -> Measurement:
    mechanism = MECHANISMS[subject.name]
    runs = {"usual": Run({}, mechanism.measure())}
    advice = f"{TELL}: stored results were computed the other way and nothing else marks them."
    return Measurement(subject, mechanism.revisions, runs, advice)


def _of_key(subject: Subject) -> Measurement:
    cell = keys.first_cell(keys.study_files()[subject.name])
    revisions: dict[str, Any] = {name: n for name, n in cell.revisions.items() if n != 1}
    advice = (
        f"{TELL}: every store keeps its results under the old key. Only an edit of the study file "
        "itself is harmless."
    )
    return Measurement(subject, revisions, {"first cell": Run({}, keys.figures(cell))}, advice)


def _registry_name(kind: str) -> str:
    return f"{kind.upper()}{'ES' if kind.endswith('s') else 'S'}"
