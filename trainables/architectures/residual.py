"""Residual networks of basic blocks for small images; which depths there are is not known here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import pad, relu

Shortcut = Literal["A", "B"]


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


class ResidualNetwork(nn.Module):
    """3 × 3 stem, stages of basic blocks, global average, linear layer.

    Args:
        channels: of the images.
        num_classes: K.
        widths: channels of each stage; each stage after the first halves height and width.
        blocks: basic blocks of each stage.
        shortcut: where a block changes the shape: A = subsampling and zeros, B = projection.
    """

    def __init__(
        self,
        channels: int,
        num_classes: int,
        widths: Sequence[int],
        blocks: Sequence[int],
        shortcut: Shortcut,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(channels, widths[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),
        )
        stages: list[nn.Module] = []
        width = widths[0]
        for stage, (outputs, count) in enumerate(zip(widths, blocks, strict=True)):
            for block in range(count):
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
