"""Whether planned cells agree in everything but the seed, and where they do not.

Only such cells are replicates: a mean over others hides the difference between two settings.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from storage.attempt import PlannedCell

LISTED = 3
"""Values named one by one for a field."""
SEED = "seed"
UNSET = "unset"
WRITTEN_AS = {"noise": "noise.kind"}
"""Field of the configuration whose name a study writes under another key."""

Differences = Mapping[str, tuple[str, ...]]
"""Field → the values met, in the order of the cells."""


def differences(cells: Sequence[PlannedCell]) -> Differences:
    """Fields in which cells differ beside their seed; empty for replicates of one setting.

    Whole configurations are compared. A cell that has none yet, because it waits for a pick or is
    skipped, is compared by its axes.
    """
    if all(cell.config is not None for cell in cells):
        # Texts are compared first: parsing every cell of a large study would take seconds.
        texts = dict.fromkeys(_without_seed(cell.config or "", cell.seed) for cell in cells)
        if len(texts) < 2:
            return {}
        return _differing(_fields(json.loads(text)) for text in texts)
    return _differing(dict(axes) for axes in dict.fromkeys(_axes(cell) for cell in cells))


def in_words(found: Differences) -> str:
    """`learning_rate (0.1, 0.001), loss.q (0.7, unset)`; the first few values of each."""
    return ", ".join(f"{name} ({_listed(values)})" for name, values in found.items())


def _listed(values: Sequence[str]) -> str:
    return ", ".join((*values[:LISTED], *(["…"] if len(values) > LISTED else [])))


def _without_seed(config: str, seed: int) -> str:
    """The configuration's text with its seed left open."""
    if config.count(f'"{SEED}":') == 1:
        return config.replace(f'"{SEED}": {seed}', f'"{SEED}": null', 1)
    # A component has a parameter of this name, which only parsing tells apart.
    return json.dumps({**json.loads(config), SEED: None})


def _axes(cell: PlannedCell) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(cell.axes.items()))


def _differing(settings: Iterable[Mapping[str, str]]) -> Differences:
    known = list(settings)
    names = dict.fromkeys(name for fields in known for name in fields)
    met = {name: tuple(dict.fromkeys(f.get(name, UNSET) for f in known)) for name in names}
    return {name: values for name, values in met.items() if len(values) > 1}


def _fields(config: Mapping[str, Any]) -> dict[str, str]:
    """Dotted field → text; a component's name stands under the field itself."""
    found: dict[str, str] = {}
    for field, value in config.items():
        if not isinstance(value, Mapping):
            found[field] = _text(value)
            continue
        for parameter, inner in value.items():
            whole = WRITTEN_AS.get(field, field) if parameter == "name" else f"{field}.{parameter}"
            found[whole] = _text(inner)
    return {name: text for name, text in found.items() if name != SEED}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return repr(value).removesuffix(".0") if isinstance(value, float) else json.dumps(value)
