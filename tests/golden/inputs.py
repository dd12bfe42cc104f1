"""Inputs of the golden runs, made by whole-number arithmetic: the same on every machine."""

from __future__ import annotations

import torch
from torch import Tensor

LARGE, EXTREME = 30.0, 1e4


def images(count: int, shape: tuple[int, int, int] = (3, 12, 10)) -> Tensor:
    """uint8 [N, C, H, W] without a pattern that a flip or a shift would leave as it is."""
    size = count * shape[0] * shape[1] * shape[2]
    places = torch.arange(size, dtype=torch.int64)
    return ((places * places * 37 + places * 101) % 251).to(torch.uint8).view(count, *shape)


def logits(num_classes: int) -> tuple[Tensor, Tensor]:
    """float64 [8, K] and labels int64 [8]: undecided to extreme, right or wrong."""
    samples = torch.arange(8).view(-1, 1)
    classes = torch.arange(num_classes).view(1, -1)
    mixed = (samples * 31 + classes * 17 + classes * classes * (samples + 2)) % 101
    scale = torch.tensor([0.5, 2.0, 4.0, 8.0, 8.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    values = (mixed.double() / 101 - 0.5) * scale.view(-1, 1)
    labels = (torch.arange(8) * 3) % num_classes
    labels[4] = values[4].argmax()
    values[5, labels[5]] = LARGE
    values[6, (labels[6] + 1) % num_classes] = LARGE
    values[7, (labels[7] + 1) % num_classes] = EXTREME
    return values, labels


def projection(values: Tensor) -> Tensor:
    """Weighted sums over the last axis, [..., K] → [...]: each place counts differently."""
    weights = 1 + torch.arange(values.shape[-1], dtype=values.dtype) % 7
    return (values * weights).sum(dim=-1)
