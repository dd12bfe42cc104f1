"""Residual networks whose norms and activations stand before the convolutions."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import relu


class PreActivationBlock(nn.Module):
    """Norm, ReLU, convolution, twice; a shortcut that changes the shape starts after the ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        changes = stride != 1 or inputs != outputs
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False) if changes else None

    def forward(self, images: Tensor) -> Tensor:
        """[N, C, H, W] → [N, C', H/stride, W/stride]."""
        active = relu(self.bn1(images))
        carried = images if self.shortcut is None else self.shortcut(active)
        out: Tensor = self.conv2(relu(self.bn2(self.conv1(active)))) + carried
        return out


class PreActivationNetwork(nn.Module):
    """3 × 3 stem, stages of blocks, global average, linear layer.

    Args:
        channels: of the images.
        num_classes: K.
        stem: channels of the first convolution.
        widths: channels of each stage; each stage after the first halves height and width.
        blocks: blocks of each stage.
        last_norm: norm and ReLU before the average.
    """

    def __init__(
        self,
        channels: int,
        num_classes: int,
        stem: int,
        widths: Sequence[int],
        blocks: Sequence[int],
        *,
        last_norm: bool,
    ) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, stem, 3, padding=1, bias=False)
        stages: list[nn.Module] = []
        width = stem
        for stage, (outputs, count) in enumerate(zip(widths, blocks, strict=True)):
            for block in range(count):
                stages.append(PreActivationBlock(width, outputs, 2 if stage and not block else 1))
                width = outputs
        if last_norm:
            stages += [nn.BatchNorm2d(width), nn.ReLU()]
        self.stages = nn.Sequential(*stages)
        self.classifier = nn.Linear(width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """images [N, C, H, W] → logits [N, K]."""
        logits: Tensor = self.classifier(self.stages(self.stem(images)).mean(dim=(2, 3)))
        return logits
