"""Networks, each built for an input shape and a class count, with its weights drawn explicitly.

An architecture is a callable `build(shape, num_classes, generator) -> nn.Module` that returns raw
logits [N, K] for images float [N, C, H, W]; initial weights come from the generator alone. The
modules named in the table import torch when a network is built, not when its name is looked up.

An architecture whose networks are each an `nn.Sequential` of Flatten, Linear and ReLU may say so by
an attribute `stackable = True`: several of its networks can then be trained as one batched model.
What is built is checked against that before the first step; all others train alone.

An architecture that cannot take every image says so in a method `require_shape(shape)` that raises
ParameterError: a study is checked by it before anything is trained.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from trainables.registry import Registry

if TYPE_CHECKING:
    from torch import Generator
    from torch.nn import Module

InitialWeights = Literal["kaiming_normal", "kaiming_uniform"]
"""The rules of `trainables.architectures.initialization`, by name."""

Architecture = Callable[[tuple[int, int, int], int, "Generator"], "Module"]

ARCHITECTURES: Registry[Architecture] = Registry(
    "architecture",
    {
        "mlp": "trainables.architectures.mlp",
        "mlp1024": "trainables.architectures.mlp",
        "resnet20": "trainables.architectures.resnet_cifar",
        "resnet32": "trainables.architectures.resnet_cifar",
        "resnet44": "trainables.architectures.resnet_cifar",
        "resnet56": "trainables.architectures.resnet_cifar",
        "resnet110": "trainables.architectures.resnet_cifar",
        "cnn4": "trainables.architectures.cnn",
        "cnn8": "trainables.architectures.cnn",
        "lenet5": "trainables.architectures.cnn",
        "resnet18": "trainables.architectures.resnet",
        "resnet34": "trainables.architectures.resnet",
        "preact_resnet18": "trainables.architectures.preact_resnet",
        "preact_resnet34": "trainables.architectures.preact_resnet",
        "preact_resnet34_thin": "trainables.architectures.preact_resnet",
        "wrn28_10": "trainables.architectures.preact_resnet",
        "wrn40_2": "trainables.architectures.preact_resnet",
        "vit_tiny": "trainables.architectures.vit",
        "timm": "trainables.architectures.timm_models",
        "resnet50": "trainables.architectures.large_images",
        "wide_resnet101_2": "trainables.architectures.large_images",
        "googlenet_bn": "trainables.architectures.large_images",
    },
    group="orchestrator.architectures",
)
