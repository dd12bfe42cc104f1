"""Published parameters, asked for by the name of a data set, as numbers.

`{name: nce_rce, defaults: cifar100}` stands for the parameters that the loss declares as published
for this data set; what is given beside them wins. A study's request is replaced when the study is
read, so that a cell holds numbers and has the key of the written-out form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainables.config import Choice
from trainables.losses import LOSSES
from trainables.registry import ParameterError, Published, nearest

DEFAULTS = "defaults"
"""Key that asks for published parameters, of losses that have no parameter of this name."""


def asks_for_published(loss: Mapping[str, Any]) -> bool:
    """Whether a loss, a mapping with its `name`, leaves parameters to what was published."""
    return DEFAULTS in loss and DEFAULTS not in LOSSES.component(loss["name"]).parameters


def with_published(loss: Mapping[str, Any]) -> dict[str, Any]:
    """A loss, a mapping with its `name`, with published parameters in place of `defaults`.

    Raises ComponentError with `defaults` as its key.
    """
    if not asks_for_published(loss):
        return dict(loss)
    given = {key: value for key, value in loss.items() if key != DEFAULTS}
    return {**_parameters(loss["name"], loss[DEFAULTS]), **given}


def written_out(loss: Choice) -> Choice:
    """`with_published` of a choice."""
    explicit = with_published({**loss.as_dict(), "name": loss.name})
    return Choice.of(loss.name, {key: item for key, item in explicit.items() if key != "name"})


def published_of(name: str) -> Published | None:
    """What is known of the parameters that a loss was published with. Raises ComponentError."""
    return LOSSES.component(name).published


def _parameters(name: str, dataset: Any) -> Mapping[str, Any]:
    published = published_of(name)
    if published is None:
        raise ParameterError(f"{name} has no published defaults", key=DEFAULTS)
    known = published.by_dataset
    if not isinstance(dataset, str) or dataset not in known:
        raise ParameterError(
            f"{name} has no published defaults for {dataset!r}, only for {', '.join(known)}",
            key=DEFAULTS,
            nearest=nearest(str(dataset), known),
        )
    return known[dataset]
