"""Can the configuration of a row from elsewhere be that of a run? Imports no plug-in.

The store knows no fields of a run, so it asks this when rows of another store come in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from trainables import components
from trainables.config import TrainingConfig

FIELDS = frozenset(item.name for item in fields(TrainingConfig))


def config_problem(config: Mapping[str, Any], revisions: Mapping[str, int]) -> str | None:
    """What a configuration says that no run of this version has; None if it may stand.

    Fields that it lacks are newer than it. Parameters are known here only of the project's own
    components, in the revision of today.
    """
    if unknown := sorted(config.keys() - FIELDS):
        return f"config has the field '{unknown[0]}', which no run of this version has"
    for field, kind in components.REGISTRIES.items():
        choices = config.get(field, [])
        for choice in choices if isinstance(choices, list) else [choices]:
            name = choice.get("name") if isinstance(choice, Mapping) else None
            if not isinstance(name, str):
                return f"config does not say what its {field} is"
            if not kind.is_built_in(name):
                continue
            component = kind.component(name)
            unknown = sorted(choice.keys() - component.parameters.keys() - {"name"})
            if unknown and revisions.get(field, component.revision) == component.revision:
                return f"config says {unknown[0]} of {field} {name}, which has no such parameter"
    return None
