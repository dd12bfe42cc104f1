"""With which parameters each component is run: its defaults, then each with another value.

Derived from the declared parameters, so a new parameter is tried unasked. Only what cannot be
derived stands in the tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

from trainables.components import REGISTRIES
from trainables.registry import Parameter

UNEVEN = [
    [0.6 if j == k else (0.1 if j == (k + 1) % 10 else 0.0375) for j in range(10)]
    for k in range(10)
]
SWAPPED = [[0.6 if j == k else (0.4 if j == k ^ 1 else 0.0) for j in range(10)] for k in range(10)]

NEEDED: dict[tuple[str, str], dict[str, Any]] = {
    ("architecture", "mlp"): {"hidden": [12, 8]},
    ("architecture", "resnet50"): {"stem": "imagenet"},
    ("architecture", "timm"): {"model": "resnet10t"},
    ("architecture", "vit_tiny"): {"depth": 2},
    ("augmentation", "random_crop"): {"size": 8},
    ("augmentation", "rotation"): {"degrees": 15.0},
    ("dataset", "folder"): {"path": "pictures", "num_classes": 3, "size": 16},
    ("dataset", "parquet"): {"path": "tables", "like": "cifar10"},
    ("dataset", "synthetic"): {"images": 60},
    ("loss", "logit_clip"): {"delta": 1.5},
    ("noise", "asymmetric"): {"rate": 0.4},
    ("noise", "human"): {"set": "worst"},
    ("noise", "matrix"): {"matrix": UNEVEN},
    ("noise", "pair_flip"): {"rate": 0.4},
    ("noise", "symmetric"): {"rate": 0.4},
    ("normalization", "fixed"): {"mean": [0.3], "std": [0.2]},
    ("schedule", "cosine"): {"epochs": 10},
    ("schedule", "exponential"): {"factor": 0.5},
    ("schedule", "linear"): {"epochs": 10},
    ("schedule", "one_cycle"): {"epochs": 10},
    ("schedule", "iteration_step"): {"milestones": [2, 5]},
    ("schedule", "step"): {"milestones": [2, 5]},
}
"""Parameters of the usual run: those that have no default, and smaller ones than the default."""

CHANGES: dict[tuple[str, str], tuple[dict[str, Any], ...]] = {
    ("architecture", "hidden"): ({"hidden": [12]},),
    ("architecture", "depth"): ({"depth": 1},),
    ("architecture", "patch"): ({"patch": 8},),
    ("dataset", "like"): ({"like": "fashion-mnist"}, {"like": "cifar100"}),
    ("dataset", "mean"): ({"mean": [0.5, 0.5, 0.5]},),
    ("dataset", "std"): ({"std": [0.25, 0.25, 0.25]},),
    ("dataset", "num_classes"): ({"num_classes": 4},),
    ("dataset", "path"): ({"path": "others"},),
    ("dataset", "train_size"): ({"train_size": 7},),
    ("dataset", "test_size"): ({"test_size": 7},),
    ("loss", "logit_bias"): ({"logit_bias": 0.5},),
    # Held for one epoch each: 1.5 in the second. Held for the usual eleven it would still be 0.
    ("loss", "logit_bias_epochs"): ({"logit_bias": [0.0, 1.5], "logit_bias_epochs": 1},),
    ("loss", "prune_every"): (
        {"prune_every": 7},
        {"start_prune": 1, "prune_every": 1, "threshold": 0.12},
    ),
    ("loss", "tau"): ({"tau": 4.0},),
    ("loss", "t2"): ({"t2": 1.5}, {"t2": 1.0}),
    ("loss", "t1"): ({"t1": 0.4}, {"t1": 1.0}),
    ("loss", "matrix"): ({"matrix": UNEVEN},),
    ("noise", "matrix"): ({"matrix": SWAPPED},),
    ("noise", "rate"): ({"rate": 0.1}, {"rate": 1.0}),
    ("normalization", "mean"): ({"mean": [0.1, 0.2, 0.3]},),
    ("normalization", "std"): ({"std": [0.5, 0.6, 0.7]},),
    ("schedule", "epochs"): ({"epochs": 6},),
    ("schedule", "warm_up"): ({"warm_up": 1.5},),
    ("schedule", "milestones"): ({"milestones": [1, 3, 4]},),
    ("schedule", "stop"): ({"stop": 7},),
}
"""(kind, parameter) → what is given in turn, where the type does not tell a good other value."""

LEFT_OUT = {
    ("adam", "exempt_vectors"): "a golden run has one vector, and nothing to tell it from",
    ("adamw", "exempt_vectors"): "as for adam",
    ("sgd", "exempt_vectors"): "as for adam",
    ("timm", "model"): "its numbers are those of another library",
    ("resnet50", "weights"): "the weights of ImageNet are a download",
    ("parquet", "num_classes"): "stands in place of `like`",
    ("parquet", "image_shape"): "stands in place of `like`",
}
"""(component, parameter) → why it is not tried."""


def variations(kind: str, name: str) -> dict[str, dict[str, Any]]:
    """Label → given parameters: the usual run first, then one parameter after the other."""
    needed = NEEDED.get((kind, name), {})
    found = {"usual": needed}
    for parameter in REGISTRIES[kind].component(name).parameters.values():
        if (name, parameter.name) not in LEFT_OUT:
            for change in _changes(kind, name, parameter, needed):
                found[_label(change)] = {**needed, **change}
    return found


def _changes(
    kind: str, name: str, parameter: Parameter, needed: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    if parameter.is_required and parameter.name not in needed:
        raise LookupError(f"{kind} {name} needs '{parameter.name}': give it one in NEEDED")
    if (kind, parameter.name) in CHANGES:
        yield from CHANGES[kind, parameter.name]
        return
    usual = needed.get(parameter.name, parameter.default)
    for value in _others(parameter.annotation, usual):
        parameter.canonical(value)
        yield {parameter.name: value}


def _others(annotation: Any, usual: Any) -> list[Any]:
    """Other values of a plain type: each other word, the other truth, half of a number."""
    if type(None) in (parts := get_args(annotation)) and get_origin(parts[0]) is Literal:
        annotation = parts[0]
    if get_origin(annotation) is Literal:
        return [option for option in get_args(annotation) if option != usual]
    if annotation == bool | None:
        return [False]  # None stands for what is usual, which is true
    if annotation is bool:
        return [not usual]
    if annotation is int:
        return [max(1, usual // 2) if usual > 1 else usual + 1]
    if annotation is float:
        return [usual / 2 if usual else 0.25]
    raise LookupError(f"no other value of {annotation} is known: give one in CHANGES")


def _label(change: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {_short(value)}" for name, value in change.items())


def _short(value: Any) -> str:
    """A matrix by its first row."""
    is_matrix = isinstance(value, list) and isinstance(value[0], list)
    return f"{value[0]}, …" if is_matrix else str(value)
