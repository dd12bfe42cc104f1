"""Components by name: parameters from signatures, their checks, plug-ins of every kind."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal

import pytest

from trainables import registry as registry_module
from trainables.architectures import ARCHITECTURES
from trainables.components import build_config
from trainables.config import Choice
from trainables.datasets import DATASETS
from trainables.losses import LOSSES
from trainables.noise import NOISES
from trainables.registry import (
    BrokenComponentError,
    ComponentError,
    Parameter,
    ParameterError,
    Range,
    Registry,
    UnknownComponentError,
)
from trainables.schedules import SCHEDULES
from trainables.training.train import train


@pytest.fixture
def things() -> Registry[Any]:
    """A registry with one class and one function."""
    things: Registry[Any] = Registry(
        "thing", {}, common=(Parameter("shared", int, 1, Range(0)),), group="test.things"
    )

    @things.register("dial", revision=3)
    @dataclass(frozen=True)
    class Dial:
        level: Annotated[float, Range(0, 1, low_open=True)]
        mode: Literal["fast", "exact"] = "fast"
        sizes: tuple[int, ...] = ()
        name: str | None = None
        is_on: bool = True

    @things.register("adder")
    def adder(value: float, *, amount: float = 1.0) -> float:
        return value + amount

    return things


def test_parameters_are_read_from_the_signature(things: Registry[Any]) -> None:
    dial = things.component("dial")
    assert dial.revision == 3
    assert set(dial.parameters) == {"level", "mode", "sizes", "name", "is_on", "shared"}
    assert dial.parameters["level"].is_required
    assert dial.parameters["level"].range == Range(0, 1, low_open=True)
    assert set(things.component("adder").parameters) == {"amount", "shared"}


def test_resolving_completes_and_canonicalises(things: Registry[Any]) -> None:
    resolved = things.resolve(Choice.of("dial", level=1, sizes=[1, 2.0]))
    assert resolved.as_dict() == {
        "level": 1.0,
        "mode": "fast",
        "sizes": [1, 2],
        "name": None,
        "is_on": True,
        "shared": 1,
    }
    assert isinstance(resolved.get("level"), float)
    assert isinstance(resolved.get("sizes")[1], int)


def test_building_leaves_common_parameters_to_others(things: Registry[Any]) -> None:
    assert things.build(Choice.of("dial", level=0.5, shared=7)).level == 0.5
    assert things.build(Choice.of("adder", amount=2))(3) == 5


@pytest.mark.parametrize(
    ("parameters", "key", "words"),
    [
        ({}, "level", "needs 'level'"),
        ({"level": 0}, "level", r"must lie in \(0, 1\], not 0"),
        ({"level": float("nan")}, "level", "must lie in"),
        ({"level": "high"}, "level", "must be a number, not 'high'"),
        ({"level": True}, "level", "must be a number"),
        ({"level": 1, "mode": "fest"}, "mode", "one of fast, exact"),
        ({"level": 1, "sizes": 3}, "sizes", "must be a list"),
        ({"level": 1, "sizes": [1.5]}, "sizes", "a whole number"),
        ({"level": 1, "name": 3}, "name", "must be text"),
        ({"level": 1, "is_on": 1}, "is_on", "true or false"),
        ({"level": 1, "shared": -1}, "shared", "must lie in"),
        ({"level": 1, "levle": 1}, "levle", "no parameter"),
    ],
)
def test_bad_parameters_name_their_key(
    things: Registry[Any], parameters: dict[str, Any], key: str, words: str
) -> None:
    with pytest.raises(ParameterError, match=words) as raised:
        things.resolve(Choice.of("dial", parameters))
    assert raised.value.key == key


def test_the_nearest_valid_choice_is_named(things: Registry[Any]) -> None:
    with pytest.raises(UnknownComponentError) as unknown:
        things.component("dail")
    assert unknown.value.nearest == "dial"
    with pytest.raises(ParameterError) as mistyped:
        things.resolve(Choice.of("dial", level=1, mode="fest"))
    assert mistyped.value.nearest == "fast"


def test_a_plug_in_that_is_not_found_is_told_where_it_is_looked_for() -> None:
    with pytest.raises(UnknownComponentError, match=r"; nowhere_near\.py is neither in the curr"):
        LOSSES.component("nowhere_near")
    with pytest.raises(UnknownComponentError) as close:
        LOSSES.component("gcee")
    assert "gcee.py" not in str(close.value)


def test_an_installed_package_offers_components(
    things: Registry[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def load() -> None:
        things.register("offered")(lambda: "made")

    def entry_points(*, group: str, name: str) -> list[SimpleNamespace]:
        known = {("test.things", "offered"): SimpleNamespace(load=load)}
        return [known[group, name]] if (group, name) in known else []

    monkeypatch.setattr(registry_module, "entry_points", entry_points)
    assert things.build(Choice("offered"))() == "made"
    with pytest.raises(UnknownComponentError):
        things.component("other")


PLUG_IN = """
from dataclasses import dataclass

import torch
from torch import nn

from trainables.architectures import ARCHITECTURES
from trainables.augment import AUGMENTATIONS
from trainables.datasets import DATASETS
from trainables.losses import LOSSES
from trainables.noise import NOISES
from trainables.schedules import SCHEDULES


@LOSSES.register("square")
def square(logits, labels, *, power: float = 2.0):
    return (1 - logits.softmax(1).gather(1, labels[:, None]).squeeze(1)) ** power


@NOISES.register("rotate")
def rotate(labels, context, *, by: int = 1):
    return (labels + by) % context.dataset.num_classes


@ARCHITECTURES.register("linear")
def linear(shape, num_classes, generator):
    layer = nn.Linear(shape[0] * shape[1] * shape[2], num_classes)
    nn.init.normal_(layer.weight, std=0.01, generator=generator)
    nn.init.zeros_(layer.bias)
    return nn.Sequential(nn.Flatten(), layer)


@SCHEDULES.register("halving")
def halving(epoch: int):
    return 0.5 ** (epoch - 1)


@DATASETS.register("tiny")
@dataclass(frozen=True)
class Tiny:
    classes: int = 4

    @property
    def info(self):
        from trainables.datasets import DatasetInfo

        names = tuple(str(k) for k in range(self.classes))
        return DatasetInfo("tiny", self.classes, (1, 4, 4), (), (), names)

    def load(self, data_root):
        import numpy as np

        from trainables.datasets import ImageArrays

        labels = np.arange(64) % self.classes
        images = (labels[:, None, None, None] * 50 + np.zeros((64, 4, 4, 1))).astype(np.uint8)
        return ImageArrays(images, labels, images, labels)

    def locate(self, data_root):
        from trainables.datasets import Presence

        return Presence()
"""


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], str]]:
    """Import path of a component in a user's own module, forgotten after the test."""
    name = "plug_in_of_all_kinds"
    (tmp_path / f"{name}.py").write_text(PLUG_IN)
    monkeypatch.syspath_prepend(tmp_path)
    yield lambda component: f"{name}:{component}"
    sys.modules.pop(name, None)
    for registry in (ARCHITECTURES, DATASETS, LOSSES, NOISES, SCHEDULES):
        for key, component in list(registry._components.items()):
            if component.target.__module__ == name:
                del registry._components[key]


def test_one_module_brings_components_of_every_kind(plug_in, tmp_path: Path) -> None:
    config = build_config(
        {
            "dataset": {"name": plug_in("tiny"), "classes": 3},
            "architecture": plug_in("linear"),
            "loss": {"name": plug_in("square"), "power": 3, "logit_bias": "auto"},
            "noise": {"kind": plug_in("rotate"), "by": 2},
            "schedule": plug_in("halving"),
            "learning_rate": 0.5,
            "epochs": 2,
            "batch_size": 16,
        }
    )
    assert config.loss.get("power") == 3.0
    result = train(config, data_root=tmp_path)
    assert result.realized_noise_rate == 1.0
    assert [record.learning_rate for record in result.epochs] == [0.5, 0.25]
    assert result.num_classes == 3


def test_a_module_that_offers_something_else_says_what(plug_in) -> None:
    with pytest.raises(ComponentError, match="this module registers plug_in_of_all_kinds:square"):
        build_config(
            {
                "dataset": "fashion-mnist-small",
                "architecture": "mlp1024",
                "loss": plug_in("cube"),
                "learning_rate": 0.1,
                "epochs": 1,
            }
        )


def test_a_path_that_leads_nowhere_says_where_it_looked() -> None:
    with pytest.raises(UnknownComponentError, match="no module named 'nowhere'"):
        Registry("loss", {}).component("nowhere.at_all")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1 / 0\n", " (line 1 of broken_plug_in.py): ZeroDivisionError: division by zero"),
        ("\nimport not_installed\n", " (line 2 of broken_plug_in.py): ModuleNotFoundError: No mod"),
        ("def f(:\n", ": SyntaxError: invalid syntax (broken_plug_in.py, line 1)"),
        ("raise SystemExit(3)\n", " (line 1 of broken_plug_in.py): SystemExit: 3"),
        ("raise ValueError('one\\ntwo')\n", ": ValueError: one two"),
    ],
)
def test_a_file_that_cannot_be_imported_is_one_line_that_says_where(
    text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_plug_in.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    with pytest.raises(BrokenComponentError) as broken:
        Registry("loss", {}).component("broken_plug_in")
    assert str(broken.value).startswith("loss 'broken_plug_in' cannot be imported")
    assert words in str(broken.value)
    assert "\n" not in str(broken.value)
    assert broken.value.__cause__ is not None


def test_a_plug_in_may_extend_a_built_in_component(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it inherits is written with the names of the built-in module, which it need not know."""
    (tmp_path / "steeper_loss.py").write_text(
        """
from dataclasses import dataclass

from trainables.losses import LOSSES
from trainables.losses.gce import GeneralizedCrossEntropy


@LOSSES.register("steeper")
@dataclass(frozen=True)
class Steeper(GeneralizedCrossEntropy):
    steepness: float = 2.0


@LOSSES.register("renamed")
class Renamed(GeneralizedCrossEntropy):
    pass


@LOSSES.register("by_hand")
class ByHand(GeneralizedCrossEntropy):
    def __init__(self, steepness: "float" = 3.0) -> None:
        super().__init__(q=0.5)
"""
    )
    monkeypatch.syspath_prepend(tmp_path)
    inherited = LOSSES.component("gce").parameters
    steeper = LOSSES.component("steeper_loss:steeper").parameters
    assert steeper["q"] == inherited["q"]
    assert steeper["steepness"] == Parameter("steepness", float, 2.0, None)
    assert LOSSES.component("steeper_loss:renamed").parameters == inherited
    by_hand = LOSSES.component("steeper_loss:by_hand").parameters
    assert by_hand["steepness"].default == 3.0
    with pytest.raises(ParameterError, match="'q' must lie in"):
        LOSSES.build(Choice.of("steeper_loss:steeper", q=7.0))
