"""Vectorised augmentation against torchvision, image by image."""

from __future__ import annotations

import math

import pytest
import torch
from torchvision.transforms import functional as oracle

from trainables.augment import AUGMENTATIONS, HorizontalFlip, PaddedCrop, Rotation
from trainables.config import Choice
from trainables.registry import ParameterError

SHAPES = [(3, 32, 32), (1, 28, 28), (3, 20, 33)]
CHOICES = [Choice("flip"), Choice("crop"), Choice.of("rotation", degrees=15)]
IDS = [choice.name for choice in CHOICES]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 12, shape: tuple[int, int, int] = (3, 32, 32)) -> torch.Tensor:
    """Without black, so that black is seen to come from the transform."""
    return torch.randint(1, 256, (count, *shape), generator=seeded(0), dtype=torch.uint8)


@pytest.mark.parametrize("shape", SHAPES)
def test_flip_is_that_of_torchvision(shape) -> None:
    batch, flip = images(shape=shape), HorizontalFlip()
    draws = flip.draw(len(batch), seeded(1))
    assert draws.any() and not draws.all()
    expected = [oracle.hflip(i) if d else i for i, d in zip(batch, draws, strict=True)]
    assert torch.equal(flip.apply(batch, draws), torch.stack(expected))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("padding", [1, 4])
def test_crop_is_that_of_torchvision_with_black_padding(shape, padding: int) -> None:
    batch, crop = images(shape=shape), PaddedCrop(padding)
    draws = crop.draw(len(batch), seeded(1))
    expected = [
        oracle.crop(oracle.pad(image, padding), int(top), int(left), *shape[1:])
        for image, (top, left) in zip(batch, draws, strict=True)
    ]
    assert torch.equal(crop.apply(batch, draws), torch.stack(expected))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("degrees", [15, 180])
def test_rotation_is_pillow_s_bit_for_bit() -> None:
    batch, rotation = images(), Rotation(15)
    draws = rotation.draw(len(batch), torch.Generator().manual_seed(1))
    degrees = torch.atan2(draws[:, 1], draws[:, 0]).rad2deg()
    assert degrees.abs().max() <= 15
    assert len(degrees.unique()) == len(batch)
    expected = [
        oracle.pil_to_tensor(oracle.to_pil_image(image).rotate(float(angle)))
        for image, angle in zip(batch, degrees, strict=True)
    ]
    assert torch.equal(rotation.apply(batch, draws), torch.stack(expected))
