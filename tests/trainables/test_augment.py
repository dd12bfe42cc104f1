"""Vectorised augmentation against torchvision, image by image."""

from __future__ import annotations

import torch
from torchvision.transforms import functional as oracle

from trainables.augment import HorizontalFlip, PaddedCrop, Rotation


def images(count: int = 12, channels: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, channels, 32, 32), generator=generator, dtype=torch.uint8)


def test_flip() -> None:
    batch, flip = images(), HorizontalFlip()
    draws = flip.draw(len(batch), torch.Generator().manual_seed(1))
    assert draws.any() and not draws.all()
    expected = [oracle.hflip(i) if d else i for i, d in zip(batch, draws, strict=True)]
    assert torch.equal(flip.apply(batch, draws), torch.stack(expected))


def test_crop_pads_with_black() -> None:
    batch, crop = images(), PaddedCrop(4)
    draws = crop.draw(len(batch), torch.Generator().manual_seed(1))
    assert len({tuple(d) for d in draws.tolist()}) > 1
    expected = [
        oracle.crop(oracle.pad(image, 4), int(top), int(left), 32, 32)
        for image, (top, left) in zip(batch, draws, strict=True)
    ]
    assert torch.equal(crop.apply(batch, draws), torch.stack(expected))


def test_rotation() -> None:
    batch, rotation = images(), Rotation(15)
    draws = rotation.draw(len(batch), torch.Generator().manual_seed(1))
    assert draws.abs().max() <= torch.tensor(15.0).deg2rad()
    turned = rotation.apply(batch, draws)
    expected = torch.stack(
        [oracle.rotate(i, -float(d.rad2deg())) for i, d in zip(batch, draws, strict=True)]
    )
    opposite = torch.stack(
        [oracle.rotate(i, float(d.rad2deg())) for i, d in zip(batch, draws, strict=True)]
    )
    agreement = max(
        float((turned == expected).double().mean()), float((turned == opposite).double().mean())
    )
    assert agreement > 0.99  # a pixel on the border between two may round either way
