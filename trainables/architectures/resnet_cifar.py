"""The residual networks for 32 × 32 images: three stages of 16, 32 and 64 channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch
from torch import nn
from torch.nn.functional import pad, relu

from trainables.architectures import ARCHITECTURES
from trainables.architectures.initialization import kaiming_normal

if TYPE_CHECKING:
    from torch import Generator, Tensor

Shortcut = Literal["A", "B"]
WIDTHS = (16, 32, 64)


class ZeroPadShortcut(nn.Module):
    """Option A: every second pixel, missing channels filled with zeros; no parameters."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.added = (outputs - inputs) // 2

    def forward(self, images: Tensor) -> Tensor:
        """[N, C, H, W] → [N, 2C, H/2, W/2]."""
        return pad(images[:, :, ::2, ::2], (0, 0, 0, 0, self.added, self.added))


class BasicBlock(nn.Module):
    """Two 3 × 3 convolutions with batch normalisation around a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, shortcut: Shortcut) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = _make_shortcut(inputs, outputs, stride, shortcut)

    def forward(self, images: Tensor) -> Tensor:
        """[N, C, H, W] → [N, C', H/stride, W/stride]."""
        hidden = relu(self.bn1(self.conv1(images)))
        out: Tensor = self.bn2(self.conv2(hidden)) + self.shortcut(images)
        return relu(out)


class ResNetCIFAR(nn.Module):
    """3 × 3 stem, three stages of `blocks` basic blocks, global average, linear."""

    def __init__(self, channels: int, num_classes: int, blocks: int, shortcut: Shortcut) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(channels, WIDTHS[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(WIDTHS[0]),
            nn.ReLU(),
        )
        stages: list[nn.Module] = []
        width = WIDTHS[0]
        for stage, outputs in enumerate(WIDTHS):
            for block in range(blocks):
                stride = 2 if stage and block == 0 else 1
                stages.append(BasicBlock(width, outputs, stride, shortcut))
                width = outputs
        self.stages = nn.Sequential(*stages)
        self.classifier = nn.Linear(width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """images [N, C, H, W] → logits [N, K]."""
        features = self.stages(self.stem(images)).mean(dim=(2, 3))
        logits: Tensor = self.classifier(features)
        return logits


def _make_shortcut(inputs: int, outputs: int, stride: int, shortcut: Shortcut) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    if shortcut == "A":
        return ZeroPadShortcut(inputs, outputs)
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


def _register(depth: int) -> None:
    def build(
        shape: tuple[int, int, int],
        num_classes: int,
        generator: Generator,
        *,
        shortcut: Shortcut = "A",
    ) -> nn.Module:
        with torch.device("meta"):
            network = ResNetCIFAR(shape[0], num_classes, (depth - 2) // 6, shortcut)
        return kaiming_normal(network.to_empty(device="cpu"), generator)

    build.__doc__ = f"""ResNet-{depth} for 32 × 32 images, {depth} = 6 n + 2 layers.

    Args:
        shortcut: A = subsampling with zero channels (default, as published), B = projection.

    Source: He et al., Deep Residual Learning (arXiv 1512.03385), sec. 4.2.
    """
    ARCHITECTURES.register(f"resnet{depth}")(build)


for _depth in (20, 32, 44, 56, 110):
    _register(_depth)
